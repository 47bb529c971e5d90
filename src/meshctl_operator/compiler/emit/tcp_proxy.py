"""The TCP proxy (``TcpProxy``), with Envoy's Mongo sniffer before it where the port says so."""

from __future__ import annotations

from typing import Final

from envoy.config.listener.v3 import listener_components_pb2
from envoy.extensions.filters.network.mongo_proxy.v3 import mongo_proxy_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2

from meshctl_operator.compiler.emit.access_log import emit_access_log
from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.filters import dynamic_forward_proxy, rbac
from meshctl_operator.compiler.inputs.listeners import TcpProxyInput

_TCP_PROXY: Final = "envoy.filters.network.tcp_proxy"
_MONGO_PROXY: Final = "envoy.filters.network.mongo_proxy"


def emit_tcp_filters(proxy: TcpProxyInput) -> tuple[listener_components_pb2.Filter, ...]:
    """Return the network filters of a TCP chain, the TCP proxy last (``TcpProxy.TunnelingConfig`` where it opens a tunnel)."""
    message = tcp_proxy_pb2.TcpProxy(stat_prefix=proxy.stat_prefix)
    if len(proxy.clusters) == 1:
        message.cluster = proxy.clusters[0][0]
    else:
        for name, weight in proxy.clusters:
            message.weighted_clusters.clusters.add(name=name, weight=weight)
    if proxy.idle_timeout is not None:
        message.idle_timeout.CopyFrom(emit_duration(proxy.idle_timeout))
    if proxy.max_connection_duration is not None:
        message.max_downstream_connection_duration.CopyFrom(emit_duration(proxy.max_connection_duration))
    if proxy.hash_source_ip:
        message.hash_policy.add().source_ip.SetInParent()
    if proxy.tunnel:
        message.tunneling_config.hostname = proxy.tunnel
        message.tunneling_config.use_post = proxy.tunnel_by_post
    if proxy.access_log is not None:
        message.access_log.append(emit_access_log(proxy.access_log))
    entry = listener_components_pb2.Filter(name=_TCP_PROXY)
    entry.typed_config.Pack(message, deterministic=True)
    before = []
    if proxy.denied:
        before.append(rbac.network_filter())
    if proxy.dns_cache is not None:
        before.append(dynamic_forward_proxy.network_filter(proxy.dns_cache, proxy.dns_port))
    if proxy.mongo:
        before.append(_mongo(proxy.stat_prefix))
    return (*before, entry)


def _mongo(stat_prefix: str) -> listener_components_pb2.Filter:
    entry = listener_components_pb2.Filter(name=_MONGO_PROXY)
    entry.typed_config.Pack(mongo_proxy_pb2.MongoProxy(stat_prefix=stat_prefix), deterministic=True)
    return entry
