"""The egress proxy of a Sidecar, and what is wrong with it."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import destination_rule, service

SIDECAR = ObjectKey("Sidecar", "default", "scope")
VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local", sidecar=SIDECAR)
PROXY = service("out", "10.0.0.1") + destination_rule("r", "{host: out, subsets: [{name: v1, labels: {version: v1}}]}")
ALIAS = """
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: default}
spec: {type: ExternalName, externalName: api.example.com, ports: [{name: http, port: 80}]}
"""


def findings(proxy: str, mode: str = "ALLOW_ANY") -> list[tuple[str, str]]:
    """Return code and path of what is said of an egress proxy."""
    policy = f"{{mode: {mode}, egressProxy: {proxy}}}"
    text = f"""
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: scope, namespace: default}}
spec: {{egress: [{{hosts: ['*/*']}}], outboundTrafficPolicy: {policy}}}
"""
    compiled = TextMesh(PROXY + ALIAS + text).evaluate(plan_outbound_listeners, VIEW)
    assert all(found.subject == SIDECAR for found in compiled.diagnostics)
    return [
        (found.code.split("-")[0], found.path.removeprefix("spec.outboundTrafficPolicy.egressProxy.")) for found in compiled.diagnostics
    ]


@pytest.mark.parametrize(
    ("proxy", "paths"),
    [
        ("{host: out.default.svc.cluster.local, port: {number: 9080}}", []),
        ("{host: out.default.svc.cluster.local, subset: v1, port: {number: 9080}}", []),
        ("{host: out.default.svc.cluster.local, subset: v2, port: {number: 9080}}", ["subset"]),
        ("{host: out.default.svc.cluster.local, port: {number: 1}}", ["port.number"]),
        ("{host: nobody.default.svc.cluster.local, port: {number: 80}}", ["host"]),
        ("{host: alias.default.svc.cluster.local, port: {number: 80}}", ["host"]),
    ],
)
def test_an_egress_proxy_that_has_no_cluster_is_reported(proxy: str, paths: list[str]) -> None:
    """Where it is not there, connections to what no service takes would be closed without a word."""
    assert [path for _, path in findings(proxy)] == paths


def test_an_egress_proxy_that_nothing_goes_to_is_not_looked_at() -> None:
    """With REGISTRY_ONLY there is no such traffic."""
    assert findings("{host: nobody.default.svc.cluster.local, port: {number: 80}}", "REGISTRY_ONLY") == []
