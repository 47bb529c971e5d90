"""Tests of TLS of clusters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_config import TlsDefaults
from meshctl_operator.apis.networking.destination_rule import ClientTls
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.clusters import UpstreamHttp, UpstreamTlsInput
from meshctl_operator.compiler.plan.upstream_tls import PLAIN_TEXT, SYSTEM_AUTHORITIES, TlsPlan, plan_tls
from meshctl_operator.model.destination_rules import MergedRule
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.services import Resolution, Service, ServiceRegistry

RULE = ObjectKey(Kind.DESTINATION_RULE, "default", "rule")
MERGED = MergedRule(RULE, "h", frozenset(), None, None, (), (RULE,))
KUBERNETES = Service(
    "web.default.svc.cluster.local",
    "web",
    "default",
    ServiceRegistry.KUBERNETES,
    Resolution.CLIENT_SIDE_LB,
    (),
    RULE,
    service_accounts=("acc",),
)
EXTERNAL = Service(
    "a.example.com",
    "a.example.com",
    "default",
    ServiceRegistry.EXTERNAL,
    Resolution.DNS_LB,
    (),
    RULE,
    mesh_external=True,
    service_accounts=("a.example.com",),
)
SYSTEM = SYSTEM_AUTHORITIES


def planned(
    service: Service,
    protocol: UpstreamHttp | None = None,
    role: ProxyRole = ProxyRole.SIDECAR,
    rule: MergedRule = MERGED,
    defaults: TlsDefaults | None = None,
    **fields: Any,
) -> tuple[TlsPlan, list[Diagnostic]]:
    """Return TLS of a cluster, with what was found on the way."""
    found: list[Diagnostic] = []
    return plan_tls(ClientTls.model_validate(fields), role, service, rule, protocol, defaults, found), found


@pytest.mark.parametrize(
    ("fields", "service", "protocol", "expected"),
    [
        ({}, EXTERNAL, None, PLAIN_TEXT),
        ({"mode": "DISABLE", "sni": "x"}, EXTERNAL, None, PLAIN_TEXT),
        ({"mode": "SIMPLE", "sni": "x"}, KUBERNETES, None, TlsPlan(UpstreamTlsInput("x", trusted_ca=SYSTEM))),
        (
            {"mode": "SIMPLE"},
            KUBERNETES,
            UpstreamHttp.HTTP2,
            TlsPlan(UpstreamTlsInput(alpn=("h2",), trusted_ca=SYSTEM), auto_sni=True, auto_san_validation=True),
        ),
        (
            {"mode": "SIMPLE", "subjectAltNames": ["b"]},
            EXTERNAL,
            None,
            TlsPlan(UpstreamTlsInput(trusted_ca=SYSTEM, subject_alt_names=("b",)), auto_sni=True),
        ),
        (
            {"mode": "SIMPLE", "caCertificates": "/ca.pem", "sni": "x", "caCrl": "/crl"},
            EXTERNAL,
            None,
            TlsPlan(UpstreamTlsInput("x", trusted_ca="/ca.pem", subject_alt_names=("a.example.com",), crl="/crl")),
        ),
        ({"mode": "SIMPLE", "insecureSkipVerify": True}, EXTERNAL, None, TlsPlan(UpstreamTlsInput(), auto_sni=True)),
        (
            {"mode": "MUTUAL", "clientCertificate": "/c", "privateKey": "/k", "sni": "x"},
            KUBERNETES,
            None,
            TlsPlan(UpstreamTlsInput("x", trusted_ca=SYSTEM, certificate="/c", private_key="/k")),
        ),
    ],
)
def test_certificates_of_files(fields: dict[str, Any], service: Service, protocol: UpstreamHttp | None, expected: TlsPlan) -> None:
    """SIMPLE and MUTUAL trust the named or the system's authorities, take SNI from the request where none is named, and check names."""
    assert planned(service, protocol, **fields) == (expected, [])


@pytest.mark.parametrize(
    ("fields", "certificate", "authority"),
    [
        ({"mode": "SIMPLE", "credentialName": "c"}, "", "kubernetes://c-cacert"),
        ({"mode": "MUTUAL", "credentialName": "c"}, "kubernetes://c", "kubernetes://c-cacert"),
        ({"mode": "MUTUAL", "credentialName": "c", "insecureSkipVerify": True}, "kubernetes://c", ""),
        ({"mode": "SIMPLE", "credentialName": "configmap://default/c"}, "", "configmap://default/c-cacert"),
    ],
)
def test_certificates_of_secrets(fields: dict[str, Any], certificate: str, authority: str) -> None:
    """A credential at a gateway is asked for by SDS: the certificate for MUTUAL, the authorities unless nobody checks."""
    plan, found = planned(EXTERNAL, role=ProxyRole.ROUTER, sni="x", **fields)
    assert plan.context is not None
    assert (plan.context.certificate_secret, plan.context.authority_secret, plan.context.trusted_ca) == (certificate, authority, "")
    assert plan.context.secrets == tuple(name for name in (certificate, authority) if name)
    assert found == []


def test_a_credential_is_not_for_every_sidecar() -> None:
    """A sidecar gets a credential only by a rule with a workloadSelector, or of a ConfigMap; else it is plain text, with a warning."""
    plan, found = planned(EXTERNAL, mode="SIMPLE", credentialName="c")
    assert (plan, [finding.code for finding in found]) == (PLAIN_TEXT, ["MC2318"])
    selected, _ = planned(EXTERNAL, rule=replace(MERGED, selector=(("app", "x"),)), mode="SIMPLE", credentialName="c")
    of_map, _ = planned(EXTERNAL, mode="SIMPLE", credentialName="configmap://default/c")
    assert selected.context is not None
    assert of_map.context is not None


def test_mutual_tls_of_the_mesh() -> None:
    """Within the mesh ISTIO_MUTUAL is plain text with a warning; to the outside it is refused."""
    plan, found = planned(KUBERNETES, mode="ISTIO_MUTUAL")
    assert (plan, [finding.code for finding in found]) == (PLAIN_TEXT, ["MC2317"])
    assert "ISTIO_MUTUAL" in planned(EXTERNAL, mode="ISTIO_MUTUAL")[0].refused


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"mode": "MUTUAL", "clientCertificate": "/c"}, "privateKey"),
        ({"mode": "SIMPLE", "credentialName": "builtin://"}, "nobody issues"),
        ({"mode": "MUTUAL", "credentialName": "configmap://default/c"}, "ConfigMap"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], why: str) -> None:
    """What cannot be had is refused with the reason, never plain text instead."""
    plan, _ = planned(EXTERNAL, role=ProxyRole.ROUTER, **fields)
    assert why in plan.refused
    assert plan.context is None


def test_parameters_of_the_mesh() -> None:
    """The mesh's cipher suites and curves hold for TLS that a rule asks for, without those that Envoy does not know."""
    defaults = TlsDefaults(cipher_suites=("ECDHE-RSA-AES256-GCM-SHA384", "unknown"), ecdh_curves=("P-256", "unknown"))
    context = planned(EXTERNAL, defaults=defaults, mode="SIMPLE")[0].context
    assert context
    assert (context.cipher_suites, context.curves) == (("ECDHE-RSA-AES256-GCM-SHA384",), ("P-256",))
