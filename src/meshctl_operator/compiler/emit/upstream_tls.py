"""TLS towards an upstream (``envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext``)."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from meshctl_operator.base.hostname import is_ip
from meshctl_operator.compiler.inputs.clusters import UpstreamTlsInput

_TLS_SOCKET: Final = "envoy.transport_sockets.tls"
_URI_SCHEME: Final = "spiffe://"


def emit_transport_socket(tls: UpstreamTlsInput) -> base_pb2.TransportSocket:
    """Return the transport socket that makes a cluster speak TLS 1.2 or 1.3."""
    context = tls_pb2.UpstreamTlsContext(sni=tls.sni)
    common = context.common_tls_context
    common.tls_params.tls_minimum_protocol_version = common_pb2.TlsParameters.TLSv1_2
    common.tls_params.tls_maximum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    common.alpn_protocols.extend(tls.alpn)
    common.validation_context.SetInParent()
    if tls.trusted_ca:
        common.validation_context.trusted_ca.filename = tls.trusted_ca
    for name in tls.subject_alt_names:
        matcher = common.validation_context.match_typed_subject_alt_names.add(san_type=_san_type(name))
        matcher.matcher.exact = name
    socket = base_pb2.TransportSocket(name=_TLS_SOCKET)
    socket.typed_config.Pack(context, deterministic=True)
    return socket


def _san_type(name: str) -> int:
    if name.startswith(_URI_SCHEME):
        kind = common_pb2.SubjectAltNameMatcher.URI
    elif is_ip(name):
        kind = common_pb2.SubjectAltNameMatcher.IP_ADDRESS
    else:
        kind = common_pb2.SubjectAltNameMatcher.DNS
    return int(kind)
