"""The router: ends every HTTP filter chain."""

from __future__ import annotations

from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.ordering import HttpFilterName


def http_filter() -> hcm_pb2.HttpFilter:
    """Return the entry of the filter chain (``envoy.extensions.filters.http.router.v3.Router``)."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.ROUTER.value)
    entry.typed_config.Pack(router_pb2.Router(), deterministic=True)
    return entry
