"""Which certificates of clients a server trusts. Whatever cannot be checked as asked for closes the server, never opens it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from meshctl_operator.apis.networking.common import ServerTls, ServerTlsMode
from meshctl_operator.apis.validation.tls_parameters import certificate_pin_problem, key_pin_problem
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.inputs.listeners import ClientTrustInput
from meshctl_operator.compiler.plan.secret_names import AUTHORITY_SUFFIX, WORKLOAD_AUTHORITY, authority_name, file_authority_name, sds_name
from meshctl_operator.model import gateway_codes as codes
from meshctl_operator.model.gateways import GatewayServer

MUTUAL_MODES: Final = frozenset({ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL})


def credentials_of(tls: ServerTls) -> tuple[str, ...]:
    """Return the credentials of a server."""
    return (tls.credential_name,) if tls.credential_name else tls.credential_names


def plan_client_trust(server: GatewayServer, tls: ServerTls, pairs: frozenset[str], found: list[Diagnostic]) -> ClientTrustInput | None:
    """Return what the certificates of clients are held to; None, and a finding, where that cannot be done.

    The mode is one that asks clients for certificates. ``pairs`` are the SDS names that the gateway uses for its own certificates: one
    name cannot be an authority as well. As on istiod pins need a credential, and a list in a file (``caCrl``) needs files.
    """
    if tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        return ClientTrustInput(WORKLOAD_AUTHORITY, tls.subject_alt_names, revoked_file=tls.ca_crl)
    credentials = credentials_of(tls)
    if not credentials:
        if not tls.ca_certificates:
            message = "is missing, but clients are to be checked; the server is left out"
            found.append(codes.CLIENT_CHECK_UNUSABLE.error(server.gateway, f"{server.path}.tls.caCertificates", message))
            return None
        return ClientTrustInput(
            file_authority_name(tls.ca_certificates),
            tls.subject_alt_names,
            revoked_file=tls.ca_crl,
            accept_untrusted=bool(tls.insecure_skip_verify),
        )
    spki = _pins(server, tls.verify_certificate_spki, key_pin_problem, "verifyCertificateSpki", found)
    hashes = _pins(server, tls.verify_certificate_hash, certificate_pin_problem, "verifyCertificateHash", found)
    if spki is None or hashes is None:
        return None
    return ClientTrustInput(
        _authority(tls, credentials, pairs),
        tls.subject_alt_names,
        spki=spki,
        hashes=hashes,
        accept_untrusted=bool(tls.insecure_skip_verify),
    )


def _authority(tls: ServerTls, credentials: Sequence[str], pairs: frozenset[str]) -> str:
    if not tls.ca_cert_credential_name:
        return authority_name(credentials[0])
    name = sds_name(tls.ca_cert_credential_name)
    return name + AUTHORITY_SUFFIX if name in pairs else name


def _pins(
    server: GatewayServer, pins: Sequence[str], problem_of: Callable[[str], str | None], field: str, found: list[Diagnostic]
) -> tuple[str, ...] | None:
    """Return the pins that Envoy can use; None where there are pins and none of them is usable, since no pin would let everybody in."""
    usable = []
    for index, pin in enumerate(pins):
        if problem := problem_of(pin):
            message = f'is "{pin}", which {problem}; the pin is left out'
            found.append(codes.CLIENT_CHECK_UNUSABLE.warning(server.gateway, f"{server.path}.tls.{field}[{index}]", message))
        else:
            usable.append(pin)
    if pins and not usable:
        message = "has no pin that Envoy can use; the server is left out"
        found.append(codes.CLIENT_CHECK_UNUSABLE.error(server.gateway, f"{server.path}.tls.{field}", message))
        return None
    return tuple(dict.fromkeys(usable))
