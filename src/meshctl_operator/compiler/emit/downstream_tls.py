"""TLS that a listener terminates (``DownstreamTlsContext``); certificates come by SDS over the ADS stream."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2

from meshctl_operator.compiler.inputs.listeners import ClientTrustInput, DownstreamTlsInput, TlsVersion

_NAME: Final = "envoy.transport_sockets.tls"


def emit_downstream_tls(tls: DownstreamTlsInput) -> base_pb2.TransportSocket:
    """Return the transport socket of a filter chain. No fetch time-out is set: a slow secret holds up its own listener only."""
    context = tls_pb2.DownstreamTlsContext()
    context.require_client_certificate.value = tls.client_required
    common = context.common_tls_context
    common.alpn_protocols.extend(tls.alpn)
    common.tls_certificate_sds_secret_configs.extend(_by_ads(name) for name in tls.certificates)
    if tls.clients is not None:
        combined = common.combined_validation_context
        combined.default_validation_context.CopyFrom(_client_checks(tls.clients))
        combined.validation_context_sds_secret_config.CopyFrom(_by_ads(tls.clients.authority))
    if tls.minimum_version is not TlsVersion.TLS_AUTO:
        common.tls_params.tls_minimum_protocol_version = _version(tls.minimum_version)
    if tls.maximum_version is not TlsVersion.TLS_AUTO:
        common.tls_params.tls_maximum_protocol_version = _version(tls.maximum_version)
    if tls.cipher_suites:
        common.tls_params.cipher_suites.extend(tls.cipher_suites)
    if tls.curves:
        common.tls_params.ecdh_curves.extend(tls.curves)
    socket = base_pb2.TransportSocket(name=_NAME)
    socket.typed_config.Pack(context, deterministic=True)
    return socket


def _by_ads(name: str) -> secret_pb2.SdsSecretConfig:
    secret = secret_pb2.SdsSecretConfig(name=name)
    secret.sds_config.ads.SetInParent()
    secret.sds_config.resource_api_version = config_source_pb2.V3
    return secret


def _client_checks(clients: ClientTrustInput) -> common_pb2.CertificateValidationContext:
    """Return what is checked beside the authority.

    Names are compared with every kind of name in a certificate, which the typed matchers of Envoy cannot say in one entry.
    """
    message = common_pb2.CertificateValidationContext(verify_certificate_spki=clients.spki, verify_certificate_hash=clients.hashes)
    for name in clients.subject_alt_names:
        message.match_subject_alt_names.add(exact=name)
    if clients.revoked_file:
        message.crl.filename = clients.revoked_file
    if clients.accept_untrusted:
        message.trust_chain_verification = common_pb2.CertificateValidationContext.ACCEPT_UNTRUSTED
    return message


def _version(version: TlsVersion) -> int:
    number: int = common_pb2.TlsParameters.TlsProtocol.Value(version.value)
    return number
