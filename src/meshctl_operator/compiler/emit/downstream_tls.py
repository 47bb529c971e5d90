"""TLS that a listener terminates (``DownstreamTlsContext``); certificates come by SDS over the ADS stream."""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from meshctl_operator.compiler.inputs.listeners import DownstreamTlsInput, TlsVersion

_NAME: Final = "envoy.transport_sockets.tls"


def emit_downstream_tls(tls: DownstreamTlsInput) -> base_pb2.TransportSocket:
    """Return the transport socket of a filter chain. No fetch time-out is set: a slow secret holds up its own listener only."""
    context = tls_pb2.DownstreamTlsContext()
    context.require_client_certificate.value = False
    common = context.common_tls_context
    common.alpn_protocols.extend(tls.alpn)
    for name in tls.certificates:
        secret = common.tls_certificate_sds_secret_configs.add(name=name)
        secret.sds_config.ads.SetInParent()
        secret.sds_config.resource_api_version = config_source_pb2.V3
    if tls.minimum_version is not TlsVersion.TLS_AUTO:
        common.tls_params.tls_minimum_protocol_version = _version(tls.minimum_version)
    if tls.maximum_version is not TlsVersion.TLS_AUTO:
        common.tls_params.tls_maximum_protocol_version = _version(tls.maximum_version)
    if tls.cipher_suites:
        common.tls_params.cipher_suites.extend(tls.cipher_suites)
    socket = base_pb2.TransportSocket(name=_NAME)
    socket.typed_config.Pack(context, deterministic=True)
    return socket


def _version(version: TlsVersion) -> int:
    number: int = common_pb2.TlsParameters.TlsProtocol.Value(version.value)
    return number
