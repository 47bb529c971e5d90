"""Statistics of gRPC calls, kept per cluster only: a counter per method would let clients create counters at will."""

from __future__ import annotations

from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.ordering import HttpFilterName


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.grpc_stats.v3.FilterConfig``)."""
    config = config_pb2.FilterConfig(emit_filter_state=True)
    config.stats_for_all_methods.value = False
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.GRPC_STATS.value)
    entry.typed_config.Pack(config, deterministic=True)
    return entry
