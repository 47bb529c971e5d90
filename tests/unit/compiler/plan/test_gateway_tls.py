"""TLS contexts of gateway servers."""

from __future__ import annotations

from typing import Any

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.inputs.listeners import DownstreamTlsInput, TlsVersion
from meshctl_operator.compiler.plan.gateway_tls import plan_server_tls
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import merged_gateway
from meshctl_operator.model.views import GatewayView, SecretView
from tests.support.key_pairs import secret_yaml
from tests.support.mesh_text import TextMesh

VIEW = GatewayView("istio-system", freeze({"istio": "ingressgateway"}))


def _plan(ctx: Context) -> tuple[DownstreamTlsInput | None, tuple[Diagnostic, ...]]:
    found: list[Diagnostic] = []
    (server,) = ctx.derive(merged_gateway, VIEW).servers
    planned = plan_server_tls(ctx, SecretView("istio-system"), server, found)
    return (planned[0] if planned else None), tuple(found)


def plan(tls: str, **mesh: Any) -> tuple[DownstreamTlsInput | None, list[str]]:
    """Return the context of a server with that tls block and the codes of the findings; Secrets ``bk`` and ``bk2`` exist."""
    text = f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: gw, namespace: default}}
spec: {{servers: [{{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: [a.com], tls: {{mode: SIMPLE, {tls}}}}}]}}
"""
    context, found = TextMesh(text + secret_yaml() + secret_yaml("bk2"), **mesh).evaluate(_plan)
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
    """Without any certificate there is no context: files, other sources, missing Secrets."""
    assert plan("serverCertificate: /a, privateKey: /b") == (None, ["MC2106"])
    assert plan("credentialName: 'sds://bk'") == (None, ["MC2106"])
    assert plan("credentialName: nope") == (None, ["MC2107"])
    assert plan("credentialName: 'kubernetes://default/bk'") == (None, ["MC2107"])


def test_versions() -> None:
    """Declared versions are offered; a range that is empty is warned about."""
    context, codes = plan("credentialName: bk, minProtocolVersion: TLSV1_2, maxProtocolVersion: TLSV1_3")
    assert context is not None
    assert (context.minimum_version, context.maximum_version, codes) == (TlsVersion.TLSV1_2, TlsVersion.TLSV1_3, [])
    assert plan("credentialName: bk, minProtocolVersion: TLSV1_3, maxProtocolVersion: TLSV1_2")[1] == ["MC2115"]


def test_cipher_suites() -> None:
    """Unknown and repeated suites are left out with a warning each, the order stays."""
    context, codes = plan("credentialName: bk, cipherSuites: [AES256-SHA, RC4-SHA, AES128-SHA, AES256-SHA]")
    assert context is not None
    assert (context.cipher_suites, codes) == (("AES256-SHA", "AES128-SHA"), ["MC2114", "MC2114"])


def test_mesh_defaults() -> None:
    """Defaults of the mesh hold where the server says nothing."""
    defaults = {"minProtocolVersion": "TLSV1_3", "cipherSuites": ["AES128-SHA", "NOPE"]}
    context, _ = plan("credentialName: bk", tlsDefaults=defaults)
    assert context is not None
    assert (context.minimum_version, context.cipher_suites) == (TlsVersion.TLSV1_3, ("AES128-SHA",))
    context, _ = plan("credentialName: bk, minProtocolVersion: TLSV1_2, cipherSuites: [AES256-SHA]", tlsDefaults=defaults)
    assert context is not None
    assert (context.minimum_version, context.cipher_suites) == (TlsVersion.TLSV1_2, ("AES256-SHA",))


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
