"""TLS contexts of gateway servers."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.inputs.listeners import ClientTrustInput, DownstreamTlsInput, TlsVersion
from meshctl_operator.compiler.plan.gateway_tls import plan_server_tls
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import merged_gateway
from meshctl_operator.model.views import GatewayView, SecretView
from tests.support.authorities import authority
from tests.support.key_pairs import secret_yaml
from tests.support.mesh_text import TextMesh

VIEW = GatewayView("istio-system", freeze({"istio": "ingressgateway"}))


def _plan(ctx: Context) -> tuple[DownstreamTlsInput | None, tuple[Diagnostic, ...]]:
    found: list[Diagnostic] = []
    (server,) = ctx.derive(merged_gateway, VIEW).servers
    planned = plan_server_tls(ctx, SecretView("istio-system"), server, found)
    return (planned[0] if planned else None), tuple(found)


def plan(
    tls: str, *, mode: str = "SIMPLE", protocol: str = "HTTPS", more: str = "", **mesh: Any
) -> tuple[DownstreamTlsInput | None, list[str]]:
    """Return the context of a server with that tls block and the codes of the findings; Secrets ``bk`` and ``bk2`` exist."""
    text = f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default}}
spec: {{servers: [{{port: {{number: 443, name: https, protocol: {protocol}}}, hosts: [a.com], tls: {{mode: {mode}, {tls}}}}}]}}
"""
    context, found = TextMesh(text + secret_yaml() + secret_yaml("bk2") + more, **mesh).evaluate(_plan)
    return context, [finding.code for finding in found]


def test_simple() -> None:
    """A credential becomes an SDS name; protocols are HTTP/2 and HTTP/1.1, versions Envoy's own."""
    assert plan("credentialName: bk") == (DownstreamTlsInput(("kubernetes://bk",), ("h2", "http/1.1")), [])


def test_two_certificates() -> None:
    """Two credentials are two certificates in their order; one that is missing is left out alone."""
    context, codes = plan("credentialNames: [bk2, bk]")
    assert context is not None
    assert (context.certificates, codes) == (("kubernetes://bk2", "kubernetes://bk"), [])
    context, codes = plan("credentialNames: [nope, bk]")
    assert context is not None
    assert (context.certificates, codes) == (("kubernetes://bk",), ["MC2107"])


def test_no_certificate() -> None:
    """Without any certificate there is no context: none named, missing Secrets, Secrets of other namespaces."""
    assert plan("serverCertificate: /a") == (None, ["MC2106"])
    assert plan("credentialName: nope") == (None, ["MC2107"])
    assert plan("credentialName: 'kubernetes://default/bk'") == (None, ["MC2107"])


CA = secret_yaml("bk-cacert", ca__crt=authority().certificate)


def test_files() -> None:
    """Certificates in files of the proxy are asked for by their paths; nothing stands behind them here."""
    context, codes = plan("serverCertificate: /a, privateKey: /b")
    assert context is not None
    assert (context.certificates, codes) == (("file-cert:/a~/b",), [])
    context, _ = plan("tlsCertificates: [{serverCertificate: /a, privateKey: /b}, {serverCertificate: /c, privateKey: /d}]")
    assert context is not None
    assert context.certificates == ("file-cert:/a~/b", "file-cert:/c~/d")


def test_external_server() -> None:
    """There is no other SDS server, so a name of one is that of a Secret."""
    context, codes = plan("credentialName: 'sds://bk'")
    assert context is not None
    assert (context.certificates, codes) == (("kubernetes://bk",), [])


@pytest.mark.parametrize(("mode", "required"), [("MUTUAL", True), ("OPTIONAL_MUTUAL", False)])
def test_mutual(mode: str, *, required: bool) -> None:
    """Clients are judged by the authority of the credential; they may come without a certificate in one of the modes."""
    context, codes = plan("credentialName: bk, minProtocolVersion: TLSV1_2", mode=mode, more=CA)
    assert context is not None
    assert (context.clients, context.client_required, codes) == (ClientTrustInput("kubernetes://bk-cacert"), required, [])
    assert context.minimum_version is TlsVersion.TLSV1_2


def test_no_authority() -> None:
    """Where clients cannot be judged nobody is let in: the server has no context."""
    assert plan("credentialName: bk", mode="MUTUAL") == (None, ["MC2108"])
    assert plan("credentialName: bk, caCertCredentialName: nope", mode="MUTUAL") == (None, ["MC2107"])


def test_mutual_from_files() -> None:
    """With files the authority is a file, and so may be the list of revoked certificates."""
    context, codes = plan("serverCertificate: /a, privateKey: /b, caCertificates: /c, caCrl: /d", mode="MUTUAL")
    assert context is not None
    assert (context.clients, codes) == (ClientTrustInput("file-root:/c", revoked_file="/d"), [])


def test_mesh_certificates() -> None:
    """Nobody issues certificates to workloads, so the server is left out; where they are taken to exist it is served with them."""
    assert plan("subjectAltNames: [a]", mode="ISTIO_MUTUAL") == (None, ["MC2105"])
    context, codes = plan("subjectAltNames: [a], minProtocolVersion: TLSV1_3", mode="ISTIO_MUTUAL", assumes_secrets=True)
    assert codes == ["MC2105"]
    assert context == DownstreamTlsInput(("default",), ("h2", "http/1.1"), clients=ClientTrustInput("ROOTCA", ("a",)), client_required=True)
    context, _ = plan("", mode="ISTIO_MUTUAL", protocol="TLS", assumes_secrets=True)
    assert context is not None
    assert context.alpn == ("istio-peer-exchange", "h2", "http/1.1")


def test_secrets_that_are_taken_to_exist() -> None:
    """Where the Secrets of a cluster are not among the objects a missing one is named and reported; one that is unusable is left out."""
    text = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec:
  servers:
  - port: {number: 443, name: https, protocol: HTTPS}
    hosts: [a.com]
    tls: {mode: SIMPLE, credentialNames: [elsewhere, empty]}
---
apiVersion: v1
kind: Secret
metadata: {name: empty, namespace: istio-system}
"""
    context, found = TextMesh(text, assumes_secrets=True).evaluate(_plan)
    assert context is not None
    assert context.certificates == ("kubernetes://elsewhere",)
    assert [(finding.code, finding.severity) for finding in found] == [("MC2107", Severity.WARNING), ("MC2108", Severity.ERROR)]
