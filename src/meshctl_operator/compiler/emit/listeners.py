"""Listeners (``envoy.config.listener.v3.Listener``): address, listener filters and filter chains."""

from __future__ import annotations

import ipaddress
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_components_pb2, listener_pb2
from envoy.extensions.filters.listener.http_inspector.v3 import http_inspector_pb2
from envoy.extensions.filters.listener.original_dst.v3 import original_dst_pb2
from envoy.extensions.filters.listener.original_src.v3 import original_src_pb2
from envoy.extensions.filters.listener.proxy_protocol.v3 import proxy_protocol_pb2
from envoy.extensions.filters.listener.tls_inspector.v3 import tls_inspector_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.access_log import emit_access_log
from meshctl_operator.compiler.emit.downstream_tls import emit_downstream_tls
from meshctl_operator.compiler.emit.endpoints import emit_address
from meshctl_operator.compiler.emit.http_connection_manager import emit_http_connection_manager
from meshctl_operator.compiler.emit.tcp_proxy import emit_tcp_filters
from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.inputs.listeners import (
    MATCH_ALL,
    ChainMatchInput,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
)

TRANSPORT_CONNECT_TIMEOUT: Final = Duration.of(seconds=15)
"""Time for the TLS handshake of a client, on every chain as with Istio: a silent client must not hold a connection for good."""

TLS_INSPECTOR_BUFFER: Final = 512
"""Bytes that the TLS inspector reads first: a ClientHello seldom needs Envoy's 16 KiB."""


def emit_listener(listener: ListenerInput) -> listener_pb2.Listener:
    """Return the listener."""
    message = listener_pb2.Listener(
        name=listener.name,
        traffic_direction=base_pb2.TrafficDirection.Value(listener.direction.value),
    )
    message.address.CopyFrom(emit_address(listener.address, listener.port))
    for extra in listener.extra_addresses:
        message.additional_addresses.add().address.CopyFrom(emit_address(extra, listener.port))
    message.filter_chains.extend(_filter_chain(chain) for chain in listener.filter_chains)
    if listener.default_chain is not None:
        message.default_filter_chain.CopyFrom(_filter_chain(listener.default_chain))
    message.listener_filters.extend(_listener_filters(listener))
    if listener.bind_to_port is not None:
        message.bind_to_port.value = listener.bind_to_port
    if not listener.reuse_port:
        message.enable_reuse_port.value = False
    if listener.use_original_dst:
        message.use_original_dst.value = True
    if listener.transparent:
        message.transparent.value = True
    if listener.detection_timeout is not None:
        message.listener_filters_timeout.CopyFrom(emit_duration(listener.detection_timeout))
        message.continue_on_listener_filters_timeout = True
    if listener.buffer_limit is not None:
        message.per_connection_buffer_limit_bytes.value = listener.buffer_limit
    if listener.max_accepts_per_event:
        message.max_connections_to_accept_per_socket_event.value = listener.max_accepts_per_event
    if listener.access_log is not None:
        message.access_log.append(emit_access_log(listener.access_log, unmatched_only=True))
    return message


def _listener_filters(listener: ListenerInput) -> list[listener_components_pb2.ListenerFilter]:
    """Return the filters in the order in which a connection passes them: where it was going first, then what it speaks."""
    found = []
    if listener.proxy_protocol:
        entry = listener_components_pb2.ListenerFilter(name="envoy.filters.listener.proxy_protocol")
        entry.typed_config.Pack(proxy_protocol_pb2.ProxyProtocol(), deterministic=True)
        found.append(entry)
    if listener.original_dst_filter:
        entry = listener_components_pb2.ListenerFilter(name="envoy.filters.listener.original_dst")
        entry.typed_config.Pack(original_dst_pb2.OriginalDst(), deterministic=True)
        found.append(entry)
    if listener.original_src_mark:
        entry = listener_components_pb2.ListenerFilter(name="envoy.filters.listener.original_src")
        entry.typed_config.Pack(original_src_pb2.OriginalSrc(mark=listener.original_src_mark), deterministic=True)
        found.append(entry)
    if listener.tls_inspector:
        entry = listener_components_pb2.ListenerFilter(name="envoy.filters.listener.tls_inspector")
        inspector = tls_inspector_pb2.TlsInspector()
        inspector.initial_read_buffer_size.value = TLS_INSPECTOR_BUFFER
        entry.typed_config.Pack(inspector, deterministic=True)
        found.append(entry)
    if listener.http_inspector:
        entry = listener_components_pb2.ListenerFilter(name="envoy.filters.listener.http_inspector")
        entry.typed_config.Pack(http_inspector_pb2.HttpInspector(), deterministic=True)
        _disable_on(entry, listener.uninspected_ports)
        found.append(entry)
    return found


def _disable_on(entry: listener_components_pb2.ListenerFilter, ports: tuple[int, ...]) -> None:
    if len(ports) == 1:
        _port_range(entry.filter_disabled, ports[0])
    for port in ports if len(ports) > 1 else ():
        _port_range(entry.filter_disabled.or_match.rules.add(), port)


def _port_range(predicate: listener_components_pb2.ListenerFilterChainMatchPredicate, port: int) -> None:
    predicate.destination_port_range.start = port
    predicate.destination_port_range.end = port + 1


def _filter_chain(chain: FilterChainInput) -> listener_components_pb2.FilterChain:
    message = listener_components_pb2.FilterChain(name=chain.name)
    if chain.match != MATCH_ALL:
        message.filter_chain_match.CopyFrom(_chain_match(chain.match))
    if isinstance(chain.network, HttpConnectionManagerInput):
        message.filters.append(emit_http_connection_manager(chain.network))
    else:
        message.filters.extend(emit_tcp_filters(chain.network))
    if chain.tls is not None:
        message.transport_socket.CopyFrom(emit_downstream_tls(chain.tls))
    message.transport_socket_connect_timeout.CopyFrom(emit_duration(TRANSPORT_CONNECT_TIMEOUT))
    if chain.virtual_service is not None:
        namespace, name = chain.virtual_service
        config = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtual-service/{name}"
        message.metadata.filter_metadata["istio"].fields["config"].string_value = config
    return message


def _chain_match(match: ChainMatchInput) -> listener_components_pb2.FilterChainMatch:
    message = listener_components_pb2.FilterChainMatch(
        server_names=match.server_names,
        transport_protocol=match.transport_protocol,
        application_protocols=match.application_protocols,
    )
    if match.destination_port:
        message.destination_port.value = match.destination_port
    for cidr in match.prefix_ranges:
        network = ipaddress.ip_network(cidr, strict=False)
        prefix = message.prefix_ranges.add(address_prefix=str(network.network_address))
        prefix.prefix_len.value = network.prefixlen
    return message
