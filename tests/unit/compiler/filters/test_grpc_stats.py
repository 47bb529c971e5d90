"""The entry of the gRPC statistics filter in a chain."""

from __future__ import annotations

from meshctl_operator.compiler.filters import grpc_stats
from tests.support.mesh_text import as_json


def test_entry() -> None:
    """Statistics are kept per cluster, never per method: clients choose method names."""
    assert as_json(grpc_stats.http_filter()) == {
        "name": "envoy.filters.http.grpc_stats",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_stats.v3.FilterConfig",
            "emit_filter_state": True,
            "stats_for_all_methods": False,
        },
    }
