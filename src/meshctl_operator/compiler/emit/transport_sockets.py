"""How a cluster speaks to its endpoints: one transport socket for all, or one for those that take mutual TLS and one for the others."""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2

from meshctl_operator.compiler.emit.proxy_protocol import emit_with_proxy_header
from meshctl_operator.compiler.emit.upstream_tls import emit_transport_socket
from meshctl_operator.compiler.inputs.clusters import ClusterInput, ProxyHeader

TLS_MODE: Final = "tlsMode"
"""The key of endpoint metadata (``envoy.transport_socket_match``) by which a socket is chosen."""
MUTUAL: Final = "istio"


def set_transport_sockets(message: cluster_pb2.Cluster, cluster: ClusterInput) -> None:
    """Set the sockets. Envoy takes the first match, and one without conditions matches every endpoint."""
    if cluster.tls_where_taken is not None:
        taken = message.transport_socket_matches.add(name="tlsMode-istio")
        taken.match.fields[TLS_MODE].string_value = MUTUAL
        taken.transport_socket.CopyFrom(_wrapped(cluster.proxy_header, emit_transport_socket(cluster.tls_where_taken)))
        plain = message.transport_socket_matches.add(name="tlsMode-disabled")
        plain.match.SetInParent()
        plain.transport_socket.CopyFrom(_wrapped(cluster.proxy_header, _plain_socket()))
        return
    socket = emit_transport_socket(cluster.tls) if cluster.tls is not None else None
    if cluster.proxy_header is not None:
        socket = emit_with_proxy_header(cluster.proxy_header, socket)
    if socket is not None:
        message.transport_socket.CopyFrom(socket)


def _wrapped(version: ProxyHeader | None, socket: base_pb2.TransportSocket) -> base_pb2.TransportSocket:
    return socket if version is None else emit_with_proxy_header(version, socket)


def _plain_socket() -> base_pb2.TransportSocket:
    socket = base_pb2.TransportSocket(name="envoy.transport_sockets.raw_buffer")
    socket.typed_config.Pack(raw_buffer_pb2.RawBuffer(), deterministic=True)
    return socket
