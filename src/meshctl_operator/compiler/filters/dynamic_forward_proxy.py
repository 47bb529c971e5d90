"""Resolution of hosts while a request or connection is there: ``envoy.filters.http.dynamic_forward_proxy`` and its SNI counterpart.

Each filter fills one cache of names, which the cluster of the same wildcard host reads.
"""

from __future__ import annotations

from typing import Final

from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.http.dynamic_forward_proxy.v3 import dynamic_forward_proxy_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2
from envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3 import sni_dynamic_forward_proxy_pb2

from meshctl_operator.compiler.emit.dynamic_forward_proxy import emit_dns_cache
from meshctl_operator.compiler.inputs.clusters import DnsCacheInput
from meshctl_operator.compiler.ordering import HttpFilterName

SNI_FILTER: Final = "envoy.filters.network.sni_dynamic_forward_proxy"


def http_filter(cache: DnsCacheInput) -> hcm_pb2.HttpFilter:
    """Return the entry of a filter chain that resolves the host of each request for a cluster with this cache."""
    entry = hcm_pb2.HttpFilter(name=HttpFilterName.DYNAMIC_FORWARD_PROXY.value)
    config = dynamic_forward_proxy_pb2.FilterConfig(dns_cache_config=emit_dns_cache(cache))
    entry.typed_config.Pack(config, deterministic=True)
    return entry


def network_filter(cache: DnsCacheInput, port: int) -> listener_components_pb2.Filter:
    """Return the network filter that resolves the server name of each TLS connection."""
    entry = listener_components_pb2.Filter(name=SNI_FILTER)
    config = sni_dynamic_forward_proxy_pb2.FilterConfig(dns_cache_config=emit_dns_cache(cache), port_value=port)
    entry.typed_config.Pack(config, deterministic=True)
    return entry
