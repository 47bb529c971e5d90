"""Tests of mutual TLS among proxies of the mesh, as it will be when they have certificates."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.plan.mutual_tls import service_identities
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.services import services_of
from meshctl_operator.model.views import NO_PLACE, OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.plans import endpoints_of_cluster, plan_outbound_clusters

VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
WEB = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.1.0.1], targetRef: {kind: Pod, name: a}}, {addresses: [10.1.0.2], targetRef: {kind: Pod, name: b}}]
"""
NAME = "outbound|80||web.default.svc.cluster.local"


def pod(name: str, ip: str, mode: str = "istio") -> str:
    """Return a ready pod; ``mode`` is what its label says of mutual TLS."""
    return f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, labels: {{security.istio.io/tlsMode: {mode}}}}}
spec: {{serviceAccountName: account-{name}}}
status: {{podIP: {ip}, phase: Running, conditions: [{{type: Ready, status: "True"}}]}}
"""


PODS = pod("a", "10.1.0.1") + pod("b", "10.1.0.2", "disabled")


def rule(policy: str) -> str:
    """Return a DestinationRule for the service."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web, namespace: default}}
spec: {{host: web, trafficPolicy: {policy}}}
"""


def peers(mode: str, namespace: str = "default", selector: str = "") -> str:
    """Return a PeerAuthentication."""
    return f"""
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {namespace}, namespace: {namespace}}}
spec: {{{selector} mtls: {{mode: {mode}}}}}
"""


def cluster(text: str, *, certificates: bool = True, **mesh: Any) -> ClusterInput:
    """Return the cluster of the service."""
    found = TextMesh(WEB + PODS + text, certificates=certificates, **mesh).evaluate(plan_outbound_clusters, VIEW).value
    return next(planned.input for planned in found if planned.input.name == NAME)


def test_without_certificates_there_is_none() -> None:
    """Whatever rules say, as long as nobody issues certificates."""
    for text in ("", rule("{tls: {mode: ISTIO_MUTUAL}}"), peers("STRICT")):
        found = cluster(text, certificates=False)
        assert (found.tls, found.tls_where_taken) == (None, None)


def test_spoken_unasked() -> None:
    """To endpoints that take it, under the name of the cluster, and to the identities behind it alone."""
    found = cluster("")
    assert found.tls is None
    assert found.tls_where_taken
    assert (found.tls_where_taken.sni, found.tls_where_taken.alpn) == ("outbound_.80_._.web.default.svc.cluster.local", ("istio",))
    assert found.tls_where_taken.subject_alt_names == (
        "spiffe://cluster.local/ns/default/sa/account-a",
        "spiffe://cluster.local/ns/default/sa/account-b",
    )
    assert found.tls_where_taken.secrets == ("default", "ROOTCA")


@pytest.mark.parametrize(
    ("text", "mesh", "spoken"),
    [
        ("", {"enableAutoMtls": False}, False),
        (rule("{tls: {mode: DISABLE}}"), {}, False),
        (rule("{loadBalancer: {simple: RANDOM}}"), {}, True),
        (peers("DISABLE"), {}, False),
        (peers("DISABLE", "istio-system"), {}, False),
        (peers("DISABLE", "istio-system") + peers("PERMISSIVE"), {}, True),
        (peers("DISABLE", "other"), {}, True),
        (peers("DISABLE", selector="selector: {matchLabels: {app: web}},"), {}, True),
        (rule("{loadBalancer: {simple: PASSTHROUGH}}"), {}, False),
    ],
    ids=[
        "switched off",
        "rule",
        "rule without TLS",
        "namespace",
        "mesh",
        "namespace over mesh",
        "other namespace",
        "workload",
        "passthrough",
    ],
)
def test_where_it_is_spoken(text: str, mesh: dict[str, Any], *, spoken: bool) -> None:
    """The mesh, the rule and the policy of the server's namespace have a say; of a pass-through cluster every endpoint."""
    assert (cluster(text, **mesh).tls_where_taken is not None) is spoken


def test_asked_for() -> None:
    """A rule that asks for it gets it to all endpoints, under the names that it says."""
    found = cluster(rule("{tls: {mode: ISTIO_MUTUAL, sni: other, subjectAltNames: [a]}}"))
    assert found.tls_where_taken is None
    assert found.tls
    assert (found.tls.sni, found.tls.subject_alt_names) == ("other", ("a",))


def test_a_pass_through_cluster_has_one_socket() -> None:
    """Where connections pass through to one endpoint there is nothing to match."""
    text = pod("b", "10.1.0.2") + rule("{loadBalancer: {simple: PASSTHROUGH}}")
    found = cluster(text)
    assert found.tls
    assert found.tls_where_taken is None


def test_identities() -> None:
    """Each under every trust domain; those that the service declares itself stay as they are."""
    mesh = TextMesh(WEB + PODS, trustDomainAliases=["old"])
    (service,) = mesh.evaluate(services_of, ObjectKey(Kind.SERVICE, "default", "web"))
    assert [name.removeprefix("spiffe://") for name in mesh.evaluate(service_identities, service)] == [
        "cluster.local/ns/default/sa/account-a",
        "cluster.local/ns/default/sa/account-b",
        "old/ns/default/sa/account-a",
        "old/ns/default/sa/account-b",
    ]


@pytest.mark.parametrize(
    ("text", "certificates", "marked"),
    [
        ("", True, ["10.1.0.1"]),
        ("", False, []),
        (peers("DISABLE"), True, []),
        (rule("{tls: {mode: DISABLE}}"), True, []),
        (rule("{tls: {mode: ISTIO_MUTUAL}}") + peers("DISABLE"), True, ["10.1.0.1"]),
    ],
    ids=["unasked", "no certificates", "disabled", "rule against it", "rule for it"],
)
def test_marked_endpoints(text: str, marked: list[str], *, certificates: bool) -> None:
    """Those that take mutual TLS say so in their metadata, unless rule or policy are against it."""
    mesh = TextMesh(WEB + PODS + text, certificates=certificates)
    found = mesh.evaluate(endpoints_of_cluster, VIEW, NO_PLACE, NAME).input
    assert [each.address for locality in found.localities for each in locality.endpoints if each.mutual_tls] == marked
