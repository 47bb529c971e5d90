"""The router: ends every HTTP filter chain."""

from __future__ import annotations

from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.ordering import HttpFilterName


def http_filter(*, suppress_envoy_headers: bool = False) -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.router.v3.Router``), with or without headers ``x-envoy-...``."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.ROUTER.value)
    entry.typed_config.Pack(router_pb2.Router(suppress_envoy_headers=suppress_envoy_headers), deterministic=True)
    return entry
