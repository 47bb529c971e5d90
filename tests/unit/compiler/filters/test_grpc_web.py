"""The entry of the filter in a chain."""

from __future__ import annotations

from meshctl_operator.compiler.filters import grpc_web
from tests.support.mesh_text import as_json


def test_entry() -> None:
    """The filter stands under its canonical name with an empty configuration."""
    assert as_json(grpc_web.http_filter()) == {
        "name": "envoy.filters.http.grpc_web",
        "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"},
    }
