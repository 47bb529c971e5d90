"""Rules of TLS settings of servers: what looks like protection and is none. The other rules are tried with the Gateways that hold them."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

FILES = "serverCertificate: /c, privateKey: /k, caCertificates: /ca"
HASH = "ab" * 32


def gateway(tls: str) -> str:
    """Return the spec of a Gateway whose one server has these TLS settings, in YAML."""
    return f"{{servers: [{{port: {{number: 443, protocol: HTTPS, name: https}}, hosts: [a.com], tls: {{{tls}}}}}]}}"


WARNED = {
    "names without clients": ("mode: SIMPLE, credentialName: c, subjectAltNames: [a]", "MC1106", "subjectAltNames"),
    "pins without clients": (f"mode: SIMPLE, credentialName: c, verifyCertificateHash: ['{HASH}']", "MC1106", "verifyCertificateHash"),
    "skipping nothing": ("mode: SIMPLE, credentialName: c, insecureSkipVerify: true", "MC1106", "insecureSkipVerify"),
    "pins with files": (f"mode: MUTUAL, {FILES}, verifyCertificateHash: ['{HASH}']", "MC1106", "verifyCertificateHash"),
    "list beside a credential": ("mode: MUTUAL, credentialName: c, caCrl: /crl", "MC1106", "caCrl"),
    "authority without clients": ("mode: SIMPLE, credentialName: c, caCertCredentialName: d", "MC1106", "caCertCredentialName"),
    "authority beside files": (f"mode: MUTUAL, {FILES}, caCertCredentialName: d", "MC1106", "caCertCredentialName"),
    "no digest of a key": ("mode: MUTUAL, credentialName: c, verifyCertificateSpki: [x]", "MC1107", "verifyCertificateSpki[0]"),
    "no digest of a certificate": ("mode: MUTUAL, credentialName: c, verifyCertificateHash: [x]", "MC1107", "verifyCertificateHash[0]"),
    "unknown curve": ("mode: SIMPLE, credentialName: c, ecdhCurves: [P-256, x]", "MC1107", "ecdhCurves[1]"),
}


@pytest.mark.parametrize(("tls", "code", "path"), WARNED.values(), ids=WARNED)
def test_warned(tls: str, code: str, path: str) -> None:
    """What Istio ignores in silence, or Envoy cannot use, is accepted with a warning at the field."""
    assert errors_of("Gateway", gateway(tls)) == []
    assert warnings_of("Gateway", gateway(tls)) == [(code, f"spec.servers[0].tls.{path}")]


@pytest.mark.parametrize(
    "tls",
    [
        "mode: MUTUAL, credentialName: c, caCertCredentialName: 'configmap://ns/d', subjectAltNames: [a]",
        f"mode: OPTIONAL_MUTUAL, credentialNames: [c, d], verifyCertificateHash: ['{HASH}'], insecureSkipVerify: true",
        f"mode: MUTUAL, {FILES}, caCrl: /crl, subjectAltNames: [a]",
    ],
)
def test_quiet(tls: str) -> None:
    """Settings that have their effect are not warned about."""
    assert errors_of("Gateway", gateway(tls)) == []
    assert warnings_of("Gateway", gateway(tls)) == []
