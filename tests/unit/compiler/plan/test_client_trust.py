"""Which certificates of clients a server trusts."""

from __future__ import annotations

import base64
from typing import Any

from meshctl_operator.apis.networking.common import ServerTls
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.compiler.inputs.listeners import ClientTrustInput
from meshctl_operator.compiler.plan.client_trust import credentials_of, plan_client_trust
from tests.unit.compiler.plan.test_tls_parameters import server

PIN = base64.b64encode(bytes(32)).decode()
HASH = "ab" * 32


def plan(raw: dict[str, Any], *pairs: str) -> tuple[ClientTrustInput | None, list[tuple[str, str]]]:
    """Return the trust of a server, with code and severity of each finding. ``pairs`` are names in use for certificates."""
    tls, found = ServerTls.model_validate({"mode": "MUTUAL", **raw}), list[Diagnostic]()
    trust = plan_client_trust(server(tls), tls, frozenset(pairs), found)
    return trust, [(finding.code, finding.severity.value) for finding in found]


def test_authority_of_the_first_credential() -> None:
    """The authority goes with the first credential."""
    assert plan({"credentialNames": ["one", "two"]}) == (ClientTrustInput("kubernetes://one-cacert"), [])


def test_authority_by_name() -> None:
    """An authority may be named apart, also in a ConfigMap; a name that is a certificate of the gateway as well gets the suffix."""
    assert plan({"credentialName": "one", "caCertCredentialName": "roots"})[0] == ClientTrustInput("kubernetes://roots")
    assert plan({"credentialName": "one", "caCertCredentialName": "configmap://ns/roots"})[0] == ClientTrustInput("configmap://ns/roots")
    both = plan({"credentialName": "one", "caCertCredentialName": "one"}, "kubernetes://one")[0]
    assert both == ClientTrustInput("kubernetes://one-cacert")


def test_checks() -> None:
    """Names and pins are asked for beside the authority."""
    raw = {"credentialName": "one", "subjectAltNames": ["a", "b"], "verifyCertificateSpki": [PIN], "verifyCertificateHash": [HASH]}
    assert plan(raw) == (ClientTrustInput("kubernetes://one-cacert", ("a", "b"), (PIN,), (HASH,)), [])


def test_untrusted() -> None:
    """Certificates that fail are let in only where that is asked for."""
    trust = plan({"credentialName": "one", "insecureSkipVerify": True})[0]
    assert trust is not None
    assert trust.accept_untrusted


def test_bad_pins() -> None:
    """A pin that Envoy cannot use is left out; where none is left nobody is let in."""
    trust, found = plan({"credentialName": "one", "verifyCertificateHash": ["nope", HASH]})
    assert trust is not None
    assert (trust.hashes, found) == ((HASH,), [("MC2117", "warning")])
    assert plan({"credentialName": "one", "verifyCertificateSpki": ["nope"]}) == (None, [("MC2117", "warning"), ("MC2117", "error")])


def test_files() -> None:
    """With files the authority is a file; pins have no effect then, as on istiod."""
    raw = {"serverCertificate": "/a", "privateKey": "/b", "caCertificates": "/c", "caCrl": "/d", "verifyCertificateHash": [HASH]}
    assert plan(raw) == (ClientTrustInput("file-root:/c", revoked_file="/d"), [])
    assert plan({"serverCertificate": "/a", "privateKey": "/b"}) == (None, [("MC2117", "error")])


def test_mesh() -> None:
    """The mesh's own mode trusts the authority of the mesh."""
    assert plan({"mode": "ISTIO_MUTUAL", "subjectAltNames": ["a"]}) == (ClientTrustInput("ROOTCA", ("a",)), [])


def test_credentials() -> None:
    """One credential or a list of them."""
    assert credentials_of(ServerTls(credential_name="a")) == ("a",)
    assert credentials_of(ServerTls(credential_names=("a", "b"))) == ("a", "b")
