"""TLS towards an upstream (``envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext``)."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2

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
    common.tls_params.cipher_suites.extend(tls.cipher_suites)
    common.tls_params.ecdh_curves.extend(tls.curves)
    common.alpn_protocols.extend(tls.alpn)
    if tls.certificate_secret:
        _ask_for(common.tls_certificate_sds_secret_configs.add(), tls.certificate_secret)
    elif tls.certificate:
        pair = common.tls_certificates.add()
        pair.certificate_chain.filename = tls.certificate
        pair.private_key.filename = tls.private_key
    if tls.authority_secret:
        _ask_for(common.combined_validation_context.validation_context_sds_secret_config, tls.authority_secret)
        _set_validation(common.combined_validation_context.default_validation_context, tls)
    else:
        _set_validation(common.validation_context, tls)
    socket = base_pb2.TransportSocket(name=_TLS_SOCKET)
    socket.typed_config.Pack(context, deterministic=True)
    return socket


def _ask_for(secret: secret_pb2.SdsSecretConfig, name: str) -> None:
    secret.name = name
    secret.sds_config.ads.SetInParent()
    secret.sds_config.resource_api_version = config_source_pb2.V3


def _set_validation(message: common_pb2.CertificateValidationContext, tls: UpstreamTlsInput) -> None:
    message.SetInParent()
    if tls.trusted_ca:
        message.trusted_ca.filename = tls.trusted_ca
    if tls.crl:
        message.crl.filename = tls.crl
    for name in tls.subject_alt_names:
        matcher = message.match_typed_subject_alt_names.add(san_type=_san_type(name))
        matcher.matcher.exact = name


def _san_type(name: str) -> int:
    if name.startswith(_URI_SCHEME):
        kind = common_pb2.SubjectAltNameMatcher.URI
    elif is_ip(name):
        kind = common_pb2.SubjectAltNameMatcher.IP_ADDRESS
    else:
        kind = common_pb2.SubjectAltNameMatcher.DNS
    return int(kind)
