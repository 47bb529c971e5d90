"""Rules of ``tls`` of a server: which certificates a mode needs, and which settings have no effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from meshctl_operator.apis.networking.common import ServerTls, ServerTlsMode, TlsProtocol
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.tls_parameters import (
    CURVES,
    certificate_pin_problem,
    is_cipher_suite,
    key_pin_problem,
)

_TERMINATING: Final = frozenset({ServerTlsMode.SIMPLE, ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL})
_MUTUAL: Final = frozenset({ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL})
_PASSING: Final = frozenset({ServerTlsMode.PASSTHROUGH, ServerTlsMode.AUTO_PASSTHROUGH})
_MAX_CREDENTIALS: Final = 2
_OLD_TLS: Final = frozenset({TlsProtocol.TLSV1_0, TlsProtocol.TLSV1_1})
_TLS_ORDER: Final = (TlsProtocol.TLSV1_0, TlsProtocol.TLSV1_1, TlsProtocol.TLSV1_2, TlsProtocol.TLSV1_3)
_CREDENTIALS: Final = ("credential_name", "credential_names", "tls_certificates")
_CLIENT_CHECKS: Final = ("subject_alt_names", "verify_certificate_spki", "verify_certificate_hash", "insecure_skip_verify")


def check_server_tls(tls: ServerTls, path: str, findings: Findings) -> None:
    """Check the TLS settings of a server, apart from its protocol."""
    has_files = bool(tls.server_certificate and tls.private_key)
    sources = {
        "serverCertificate and privateKey": has_files,
        "credentialName": bool(tls.credential_name),
        "credentialNames": bool(tls.credential_names),
        "tlsCertificates": bool(tls.tls_certificates),
    }
    given = [name for name, is_set in sources.items() if is_set]
    if len(given) > 1:
        findings.error(codes.BAD_CERTIFICATES, path, f"has {len(given)} sources of certificates: {', '.join(given)}", hint="keep one")
    for name, count in (("credentialNames", len(tls.credential_names)), ("tlsCertificates", len(tls.tls_certificates))):
        if count > _MAX_CREDENTIALS:
            findings.error(codes.BAD_CERTIFICATES, f"{path}.{name}", f"has {count} entries, at most {_MAX_CREDENTIALS} are allowed")
    if tls.mode in _PASSING:
        _check_passing(tls, path, findings)
    elif tls.mode is ServerTlsMode.ISTIO_MUTUAL:
        for name in _set_fields(tls, "server_certificate", "private_key", "ca_certificates", *_CREDENTIALS):
            message = "is not allowed with mode ISTIO_MUTUAL, whose certificates come from the mesh"
            findings.error(codes.BAD_CERTIFICATES, f"{path}.{name}", message)
    elif tls.mode in _TERMINATING and not (tls.credential_name or tls.credential_names):
        _check_files(tls, path, findings)
    _check_parameters(tls, path, findings)


def _set_fields(tls: ServerTls, *attributes: str) -> list[str]:
    """Return the YAML names of those fields that are set."""
    return [ServerTls.model_fields[name].alias or name for name in attributes if getattr(tls, name)]


def _check_passing(tls: ServerTls, path: str, findings: Findings) -> None:
    if tls.ca_crl and tls.credential_name:
        findings.error(codes.BAD_CERTIFICATES, f"{path}.caCrl", "is not allowed beside credentialName", hint="put the list into the Secret")
    for name in _set_fields(tls, "server_certificate", "private_key", "ca_certificates", "ca_crl", *_CREDENTIALS):
        mode = "" if "mode" in tls.model_fields_set else ", the default"
        message = f"has no effect: TLS is passed through (mode {tls.mode}{mode})"
        findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.{name}", message, hint="set mode to SIMPLE to terminate TLS here")


def _check_files(tls: ServerTls, path: str, findings: Findings) -> None:
    if tls.tls_certificates:
        for index, pair in enumerate(tls.tls_certificates):
            if not pair.server_certificate or not pair.private_key:
                message = "needs serverCertificate and privateKey"
                findings.error(codes.BAD_CERTIFICATES, f"{path}.tlsCertificates[{index}]", message)
    elif not tls.server_certificate or not tls.private_key:
        hint = "set credentialName to a Secret of the gateway's namespace"
        findings.error(codes.BAD_CERTIFICATES, path, f"mode {tls.mode} needs a certificate and its key", hint=hint)
    if tls.mode in _MUTUAL and not tls.ca_certificates:
        message = f"is required: mode {tls.mode} checks the certificates of clients"
        findings.error(codes.BAD_CERTIFICATES, f"{path}.caCertificates", message)
    if tls.mode is ServerTlsMode.SIMPLE and tls.ca_crl:
        message = "is not allowed with mode SIMPLE, which asks clients for no certificate"
        findings.error(codes.BAD_CERTIFICATES, f"{path}.caCrl", message)


def _check_parameters(tls: ServerTls, path: str, findings: Findings) -> None:
    low, high = tls.min_protocol_version, tls.max_protocol_version
    if low in _OLD_TLS and not tls.cipher_suites:
        hint = "list cipherSuites that old clients have, or ask for TLSV1_2"
        findings.warn(
            codes.WEAK_TLS, f"{path}.minProtocolVersion", f"{low} needs cipher suites that Envoy leaves out by default", hint=hint
        )
    if low in _TLS_ORDER and high in _TLS_ORDER and _TLS_ORDER.index(low) > _TLS_ORDER.index(high):
        findings.warn(codes.WEAK_TLS, f"{path}.minProtocolVersion", f"{low} is above maxProtocolVersion {high}: no client can connect")
    _check_ciphers(tls.cipher_suites, f"{path}.cipherSuites", findings)
    _check_curves(tls.ecdh_curves, f"{path}.ecdhCurves", findings)
    _check_pins(tls.verify_certificate_spki, key_pin_problem, f"{path}.verifyCertificateSpki", findings)
    _check_pins(tls.verify_certificate_hash, certificate_pin_problem, f"{path}.verifyCertificateHash", findings)
    _check_unused(tls, path, findings)


def _check_ciphers(suites: Sequence[str], path: str, findings: Findings) -> None:
    known = set[str]()
    for index, suite in enumerate(suites):
        if suite in known:
            findings.warn(codes.WEAK_TLS, f"{path}[{index}]", f'"{suite}" is listed twice')
        elif suite and suite[0].isalnum() and not is_cipher_suite(suite):
            findings.warn(codes.WEAK_TLS, f"{path}[{index}]", f'"{suite}" is no cipher suite of Envoy and is left out')
        known.add(suite)


def _check_curves(curves: Sequence[str], path: str, findings: Findings) -> None:
    for index, curve in enumerate(curves):
        if curve not in CURVES:
            hint = f"Envoy has {', '.join(sorted(CURVES))}"
            findings.warn(codes.WEAK_TLS, f"{path}[{index}]", f'"{curve}" is no curve of Envoy and is left out', hint=hint)


def _check_pins(pins: Sequence[str], problem_of: Callable[[str], str | None], path: str, findings: Findings) -> None:
    for index, pin in enumerate(pins):
        if problem := problem_of(pin):
            hint = "write the SHA-256 of the certificate in hex, or that of its public key in base64"
            findings.warn(codes.WEAK_TLS, f"{path}[{index}]", f'"{pin}" {problem}: Envoy cannot use the pin, which is left out', hint=hint)


def _check_unused(tls: ServerTls, path: str, findings: Findings) -> None:
    """Warn about settings that Istio has always ignored where they stand, although they look like protection."""
    has_credential = bool(tls.credential_name or tls.credential_names)
    if tls.mode is ServerTlsMode.SIMPLE:
        for name in _set_fields(tls, *_CLIENT_CHECKS):
            message = "has no effect with mode SIMPLE, which asks clients for no certificate"
            findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.{name}", message, hint="use MUTUAL to check the certificates of clients")
    if tls.mode in _MUTUAL and not has_credential:
        for name in _set_fields(tls, "verify_certificate_spki", "verify_certificate_hash"):
            message = "has no effect with certificates from files: clients are not held to it"
            findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.{name}", message, hint="use credentialName")
    if tls.mode in _TERMINATING and has_credential and tls.ca_crl:
        message = "has no effect beside a credential: the list of revoked certificates is not read"
        findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.caCrl", message, hint="put the list into the Secret as ca.crl")
    if tls.ca_cert_credential_name and not (has_credential and tls.mode in _MUTUAL):
        message = "has no effect without a credential and a mode that checks clients"
        findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.caCertCredentialName", message, hint="use MUTUAL with credentialName")
