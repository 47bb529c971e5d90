"""TLS that a gateway terminates: which certificates, versions and cipher suites a server offers, and what is wrong with them."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.common import ServerTls, TlsProtocol
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.listeners import DownstreamTlsInput, TlsVersion
from meshctl_operator.compiler.plan.secrets import SecretFault, sds_name, secret_key, secret_problem
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.gateways import GatewayServer
from meshctl_operator.model.mesh import mesh_config, mesh_settings
from meshctl_operator.model.views import SecretView

ALPN: Final = ("h2", "http/1.1")
"""What clients are offered on every terminating server, TCP ones included, as with Istio."""

CIPHER_SUITES: Final = frozenset(
    {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
        "ALL",
    }
)
"""The suites that Istio lets through and a stock Envoy accepts; one that Envoy does not know makes it reject the listener."""

_VERSIONS: Final = {
    TlsProtocol.TLS_AUTO: TlsVersion.TLS_AUTO,
    TlsProtocol.TLSV1_0: TlsVersion.TLSV1_0,
    TlsProtocol.TLSV1_1: TlsVersion.TLSV1_1,
    TlsProtocol.TLSV1_2: TlsVersion.TLSV1_2,
    TlsProtocol.TLSV1_3: TlsVersion.TLSV1_3,
}
_ORDER: Final = tuple(TlsProtocol)


def plan_server_tls(
    ctx: Context, secrets: SecretView, server: GatewayServer, found: list[Diagnostic]
) -> tuple[DownstreamTlsInput, tuple[ObjectKey, ...]] | None:
    """Return the TLS context of a server and the Secrets behind it; None, and findings, where no certificate can be served."""
    tls = server.tls
    if tls is None:
        return None
    names = _certificates(ctx, secrets, server, tls, found)
    minimum, maximum = tls.min_protocol_version, tls.max_protocol_version
    defaults = mesh_config(ctx).tls_defaults
    if defaults is not None and minimum is TlsProtocol.TLS_AUTO:
        minimum = defaults.min_protocol_version
    if maximum is not TlsProtocol.TLS_AUTO and _ORDER.index(minimum) > _ORDER.index(maximum):
        message = f"is {maximum.value}, below the minimum of {minimum.value}, so no client can connect"
        found.append(codes.TLS_VERSIONS_EMPTY.warning(server.gateway, f"{server.path}.tls.maxProtocolVersion", message))
    if not names:
        return None
    ciphers = _cipher_suites(server, tls, found)
    if not ciphers and not tls.cipher_suites and defaults is not None:
        ciphers = tuple(dict.fromkeys(cipher for cipher in defaults.cipher_suites if cipher in CIPHER_SUITES))
    context = DownstreamTlsInput(
        certificates=names,
        alpn=ALPN,
        minimum_version=_VERSIONS[minimum],
        maximum_version=_VERSIONS[maximum],
        cipher_suites=ciphers,
    )
    return context, tuple(secret_key(secrets, name) for name in names)


def _certificates(ctx: Context, secrets: SecretView, server: GatewayServer, tls: ServerTls, found: list[Diagnostic]) -> tuple[str, ...]:
    """Return the SDS names that can be served, or are taken to be. Any other is never referenced: Envoy would wait for it in vain."""
    credentials = [(f"{server.path}.tls.credentialNames[{i}]", name) for i, name in enumerate(tls.credential_names)]
    if tls.credential_name:
        credentials = [(f"{server.path}.tls.credentialName", tls.credential_name)]
    if not credentials:
        message = "has no credentialName; certificates from files are not supported yet, so the server is left out"
        hint = f"put the certificate into a Secret in namespace {secrets.namespace} and name it in credentialName"
        found.append(codes.CERTIFICATE_SOURCE_UNSUPPORTED.error(server.gateway, f"{server.path}.tls", message, hint=hint))
    usable: list[str] = []
    for path, credential in credentials:
        name = sds_name(credential)
        if name is None:
            message = f'is "{credential}"; only Secrets are supported yet'
            found.append(codes.CERTIFICATE_SOURCE_UNSUPPORTED.error(server.gateway, path, message))
            continue
        problem = ctx.derive(secret_problem, secrets, name)
        if problem is None:
            usable.append(name)
            continue
        if problem.fault is SecretFault.MISSING and mesh_settings(ctx).assumes_secrets:
            usable.append(name)
            message = f'is "{credential}", but Secret {problem.message} among the inputs; it is taken to exist where this is served'
            hint = f"without it the server is left out: Secret {secrets.namespace}/{secret_key(secrets, name).name}"
            found.append(codes.CREDENTIAL_MISSING.warning(server.gateway, path, message, hint=hint))
            continue
        rest = "the server is left out" if len(credentials) == 1 else "the certificate is left out"
        message = f'is "{credential}", but Secret {problem.message}; {rest} until it can be used'
        if problem.fault is SecretFault.UNUSABLE:
            found.append(codes.CREDENTIAL_UNUSABLE.error(server.gateway, path, message))
        else:
            hint = f"the Secret must be in namespace {secrets.namespace}, beside the gateway workload"
            found.append(codes.CREDENTIAL_MISSING.error(server.gateway, path, message, hint=hint))
    return tuple(dict.fromkeys(usable))


def _cipher_suites(server: GatewayServer, tls: ServerTls, found: list[Diagnostic]) -> tuple[str, ...]:
    usable: dict[str, None] = {}
    for index, cipher in enumerate(tls.cipher_suites):
        if cipher in CIPHER_SUITES and cipher not in usable:
            usable[cipher] = None
            continue
        reason = "is named twice" if cipher in usable else "is not known to Envoy"
        message = f'is "{cipher}", which {reason}; it is left out'
        found.append(codes.CIPHER_UNKNOWN.warning(server.gateway, f"{server.path}.tls.cipherSuites[{index}]", message))
    return tuple(usable)
