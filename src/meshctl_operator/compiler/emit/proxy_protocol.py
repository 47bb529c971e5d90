"""A PROXY header in front of upstream connections (``ProxyProtocolUpstreamTransport``)."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2, proxy_protocol_pb2
from envoy.extensions.transport_sockets.proxy_protocol.v3 import upstream_proxy_protocol_pb2
from envoy.extensions.transport_sockets.raw_buffer.v3 import raw_buffer_pb2

from meshctl_operator.compiler.inputs.clusters import ProxyHeader

_SOCKET: Final = "envoy.transport_sockets.upstream_proxy_protocol"
_PLAIN_SOCKET: Final = "envoy.transport_sockets.raw_buffer"


def emit_with_proxy_header(version: ProxyHeader, inner: base_pb2.TransportSocket | None) -> base_pb2.TransportSocket:
    """Return a transport socket that sends the header and then goes on with ``inner``, in plain text where that is None."""
    transport = upstream_proxy_protocol_pb2.ProxyProtocolUpstreamTransport()
    transport.config.version = proxy_protocol_pb2.ProxyProtocolConfig.Version.Value(version.value)
    if inner is None:
        inner = base_pb2.TransportSocket(name=_PLAIN_SOCKET)
        inner.typed_config.Pack(raw_buffer_pb2.RawBuffer(), deterministic=True)
    transport.transport_socket.CopyFrom(inner)
    socket = base_pb2.TransportSocket(name=_SOCKET)
    socket.typed_config.Pack(transport, deterministic=True)
    return socket
