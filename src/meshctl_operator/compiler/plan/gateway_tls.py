"""TLS that a gateway terminates: certificates, versions and cipher suites of a server, and what clients have to show."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.common import ServerTls, ServerTlsMode
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.listeners import ClientTrustInput, DownstreamTlsInput
from meshctl_operator.compiler.plan.client_trust import MUTUAL_MODES, credentials_of, plan_client_trust
from meshctl_operator.compiler.plan.secret_names import WORKLOAD_PAIR, SecretRole, file_pair_name, file_paths, is_workload_identity
from meshctl_operator.compiler.plan.secrets import SecretFault, SecretProblem, sds_name, secret_key, secret_problem
from meshctl_operator.compiler.plan.tls_parameters import TlsParameters, plan_tls_parameters
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.gateways import GatewayServer
from meshctl_operator.model.mesh import mesh_config, mesh_settings
from meshctl_operator.model.views import SecretView

ALPN: Final = ("h2", "http/1.1")
"""What clients are offered on every terminating server, TCP ones included, as with Istio."""
MESH_TCP_ALPN: Final = ("istio-peer-exchange", *ALPN)
"""What sidecars are offered by a server that carries TCP of the mesh."""


def plan_server_tls(
    ctx: Context, secrets: SecretView, server: GatewayServer, found: list[Diagnostic], *, pairs: frozenset[str] = frozenset()
) -> tuple[DownstreamTlsInput, tuple[ObjectKey, ...]] | None:
    """Return the TLS context of a server and the objects behind it; None, and findings, where it cannot be served as it is meant.

    ``pairs`` are the SDS names of all certificates of the gateway (``certificate_names``).
    """
    tls = server.tls
    if tls is None:
        return None
    parameters = TlsParameters()
    if tls.mode is not ServerTlsMode.ISTIO_MUTUAL:  # what the mesh speaks to itself is not a matter of one server
        parameters = plan_tls_parameters(tls, mesh_config(ctx).tls_defaults, server, found)
    names = _certificates(ctx, secrets, server, tls, found)
    if not names:
        return None
    clients: ClientTrustInput | None = None
    if tls.mode in MUTUAL_MODES or tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        clients = plan_client_trust(server, tls, pairs, found)
        if clients is None or not _can_judge(ctx, secrets, server, tls, clients.authority, found):
            return None
    context = DownstreamTlsInput(
        certificates=names,
        alpn=MESH_TCP_ALPN if tls.mode is ServerTlsMode.ISTIO_MUTUAL and server.route_name is None else ALPN,
        minimum_version=parameters.minimum,
        maximum_version=parameters.maximum,
        cipher_suites=parameters.cipher_suites,
        curves=parameters.curves,
        clients=clients,
        client_required=clients is not None and tls.mode is not ServerTlsMode.OPTIONAL_MUTUAL,
    )
    asked = (*names, clients.authority) if clients is not None else names
    objects = (secret_key(secrets, name) for name in asked if not file_paths(name) and not is_workload_identity(name))
    return context, tuple(dict.fromkeys(objects))


def certificate_names(server: GatewayServer) -> tuple[str, ...]:
    """Return the SDS names of the certificates that a server asks for."""
    tls = server.tls
    if tls is None or not server.terminates_tls:
        return ()
    if tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        return (WORKLOAD_PAIR,)
    if credentials := credentials_of(tls):
        return tuple(map(sds_name, credentials))
    files = [(pair.server_certificate, pair.private_key) for pair in tls.tls_certificates] or [(tls.server_certificate, tls.private_key)]
    return tuple(file_pair_name(certificate, key) for certificate, key in files if certificate and key)


def _certificates(ctx: Context, secrets: SecretView, server: GatewayServer, tls: ServerTls, found: list[Diagnostic]) -> tuple[str, ...]:
    """Return the SDS names that can be served, or are taken to be. Any other is never referenced: Envoy would wait for it in vain."""
    names = certificate_names(server)
    if not names:
        message = "names no certificate, so the server is left out"
        hint = f"put the certificate into a Secret in namespace {secrets.namespace} and name it in credentialName"
        found.append(codes.CERTIFICATE_MISSING.error(server.gateway, f"{server.path}.tls", message, hint=hint))
    rest = "the server is left out" if len(names) == 1 else "the certificate is left out"
    usable = []
    for index, name in enumerate(names):
        path = f"{server.path}.tls.{_field(tls, index)}"
        problem = ctx.derive(secret_problem, secrets, name, SecretRole.KEY_PAIR)
        if problem is None or _is_assumed(ctx, server, path, name, problem, found, rest):
            usable.append(name)
    return tuple(dict.fromkeys(usable))


def _can_judge(ctx: Context, secrets: SecretView, server: GatewayServer, tls: ServerTls, authority: str, found: list[Diagnostic]) -> bool:
    """Tell whether the authority can be served, or is taken to be: without it nobody could be let in."""
    problem = ctx.derive(secret_problem, secrets, authority, SecretRole.AUTHORITY)
    if problem is None:
        return True
    field = "caCertCredentialName" if tls.ca_cert_credential_name else _field(tls, 0)
    if problem.fault is SecretFault.NO_IDENTITY and any(finding.path == f"{server.path}.tls.{field}" for finding in found):
        return mesh_settings(ctx).assumes_secrets  # the certificate of the workload says it already
    return _is_assumed(ctx, server, f"{server.path}.tls.{field}", authority, problem, found, "the server is left out")


def _field(tls: ServerTls, index: int) -> str:
    if tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        return "mode"
    return "credentialName" if tls.credential_name else f"credentialNames[{index}]"


def _is_assumed(
    ctx: Context, server: GatewayServer, path: str, name: str, problem: SecretProblem, found: list[Diagnostic], rest: str
) -> bool:
    """Report why a name cannot be served; tell whether it is taken to be served all the same, where this is not a cluster."""
    assumes = mesh_settings(ctx).assumes_secrets
    match problem.fault:
        case SecretFault.NO_IDENTITY:
            if assumes:
                message = f"needs certificates of the workload itself ({name}), which are taken to exist where this is served"
                found.append(codes.NO_MESH_IDENTITY.warning(server.gateway, path, message))
                return True
            message = f"needs certificates of the workload itself, but {problem.message}; {rest}"
            hint = "use MUTUAL with a credentialName"
            found.append(codes.NO_MESH_IDENTITY.error(server.gateway, path, message, hint=hint))
        case SecretFault.MISSING if assumes:
            message = f"asks for {name}, but {problem.message} among the inputs; it is taken to exist where this is served"
            found.append(codes.CREDENTIAL_MISSING.warning(server.gateway, path, message, hint=f"without it {rest}"))
            return True
        case SecretFault.MISSING | SecretFault.FOREIGN:
            hint = "a Secret must be in the namespace of the gateway workload"
            message = f"asks for {name}, but {problem.message}; {rest} until it can be used"
            found.append(codes.CREDENTIAL_MISSING.error(server.gateway, path, message, hint=hint))
        case SecretFault.UNUSABLE:
            message = f"asks for {name}, but {problem.message}; {rest} until it can be used"
            found.append(codes.CREDENTIAL_UNUSABLE.error(server.gateway, path, message))
    return False
