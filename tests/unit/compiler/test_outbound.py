"""Clusters and endpoints of a view are put together from what services share, and share what did not change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.compiler.outbound import cluster_shard, endpoint_shard, outbound_clusters, outbound_endpoints, shard_reach, view_reach
from meshctl_operator.compiler.plan.endpoints import EndpointReach
from meshctl_operator.model.proxies import Locality, ProxyRole
from meshctl_operator.model.views import EndpointView, OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import destination_rule, service

SIDECAR = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
OUTSIDER = OutboundView(ProxyRole.SIDECAR, "elsewhere", "elsewhere.svc.cluster.local")
SECOND = replace(OUTSIDER, namespace="elsewhere-2", dns_domain="elsewhere-2.svc.cluster.local")
GATEWAY = OutboundView(ProxyRole.ROUTER, "istio-system", "istio-system.svc.cluster.local")
HERE = EndpointView(Locality("r1", "z1"), node_name="node-1")
THERE = EndpointView(Locality("r2", "z1"), node_name="node-2")
A, B = "outbound|9080||a.default.svc.cluster.local", "outbound|9080||b.default.svc.cluster.local"
DNS = """---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: dns, namespace: default}
spec: {hosts: [dns.example.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}
"""
SLICE = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, namespace: default, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: http-9080, port: 80}]
endpoints: [{addresses: [%s], nodeName: node-1}]
"""
MESH = service("a", "10.0.0.1") + service("b", "10.0.0.2") + SLICE % "10.1.0.1"
OUTLIERS = destination_rule("a", "{host: a, trafficPolicy: {outlierDetection: {interval: 1s}}}")
LOCAL = service("a", "10.0.0.1").replace("clusterIP", "internalTrafficPolicy: Local, clusterIP")


def clusters(mesh: TextMesh, view: OutboundView = SIDECAR) -> dict[str, object]:
    """Return the clusters of a view by name."""
    return dict(mesh.evaluate(outbound_clusters, view).value)


def endpoints(mesh: TextMesh, view: OutboundView = SIDECAR, where: EndpointView = HERE) -> dict[str, object]:
    """Return the endpoints of a view by name."""
    return dict(mesh.evaluate(outbound_endpoints, view, where))


@pytest.mark.parametrize(
    ("view", "fixed"), [(SIDECAR, ["BlackHoleCluster", "PassthroughCluster"]), (GATEWAY, ["BlackHoleCluster"])], ids=["sidecar", "gateway"]
)
def test_clusters_of_all_services_and_the_fixed_ones(view: OutboundView, fixed: list[str]) -> None:
    """In the order of their names, as every mapping that is served."""
    assert list(clusters(TextMesh(MESH), view)) == sorted([*fixed, A, B])


def test_each_shard_has_its_services() -> None:
    """What a shard holds are the clusters and endpoints of the hosts in it."""
    mesh = TextMesh(MESH)
    for number in range(SHARDS):
        expected = {name for name in (A, B) if shard_of(name) == number}
        assert mesh.evaluate(cluster_shard, SIDECAR, number).value.keys() == expected
        assert mesh.evaluate(endpoint_shard, SIDECAR, HERE, number).keys() == expected


def test_only_clusters_that_discover_theirs_have_endpoints() -> None:
    """A cluster that resolves a name, or stands for itself, asks for none; one without endpoints gets an empty answer."""
    mesh = TextMesh(MESH + DNS)
    assert "outbound|80||dns.example.com" in clusters(mesh)
    assert list(endpoints(mesh)) == [A, B]


def test_what_did_not_change_is_the_very_object() -> None:
    """A change of one service leaves the shards of others, but for those that fixed clusters are put into, and all other clusters."""
    mesh = TextMesh(MESH)
    old = mesh.evaluate(outbound_clusters, SIDECAR).value
    mesh.add(destination_rule("a", "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}"))
    new = mesh.evaluate(outbound_clusters, SIDECAR).value
    assert new[A] != old[A]
    assert new[B] is old[B]
    fixed = {shard_of("BlackHoleCluster"), shard_of("PassthroughCluster")}
    assert {number for number in range(SHARDS) if new.shards[number] is not old.shards[number]} - fixed == {shard_of(A)}
    assert new["BlackHoleCluster"] is old["BlackHoleCluster"]


def test_endpoints_leave_clusters_alone() -> None:
    """Another address makes no cluster anew, and a mapping that stays is the very mapping."""
    mesh = TextMesh(MESH)
    old, before = mesh.evaluate(outbound_clusters, SIDECAR), mesh.evaluate(outbound_endpoints, SIDECAR, HERE)
    mesh.take_statistics()
    mesh.add(SLICE % "10.1.0.9")
    new, after = mesh.evaluate(outbound_clusters, SIDECAR), mesh.evaluate(outbound_endpoints, SIDECAR, HERE)
    assert new is old
    assert (after[A] != before[A], after[B] is before[B]) == (True, True)
    assert "_service_clusters" not in mesh.take_statistics().recomputed


def test_strangers_share_what_is_compiled() -> None:
    """Two namespaces that see a service alike have one cluster, made once; an insider has its own."""
    rule = destination_rule(
        "mine", "{host: a.default.svc.cluster.local, trafficPolicy: {loadBalancer: {simple: RANDOM}}}", namespace="shop"
    )
    mesh = TextMesh(MESH + rule)
    one = mesh.evaluate(outbound_clusters, OUTSIDER).value
    mesh.take_statistics()
    two = mesh.evaluate(outbound_clusters, SECOND).value
    assert "_service_clusters" not in mesh.take_statistics().recomputed
    assert all(two[name] is one[name] for name in (A, B))
    own = mesh.evaluate(outbound_clusters, replace(OUTSIDER, namespace="shop")).value
    assert own[A] != one[A]
    assert own[B] is one[B]


@pytest.mark.parametrize(
    ("text", "reach"),
    [(MESH, EndpointReach()), (MESH + OUTLIERS, EndpointReach(locality=True)), (MESH + LOCAL, EndpointReach(node=True))],
    ids=["nothing", "failover", "node-local"],
)
def test_what_of_the_place_matters(text: str, reach: EndpointReach) -> None:
    """Locality where near endpoints come first, the node where a service stays on it; proxies elsewhere share all the rest."""
    mesh = TextMesh(text)
    assert mesh.evaluate(view_reach, SIDECAR) == reach
    assert mesh.evaluate(shard_reach, SIDECAR, shard_of(A)) == reach
    here, there = mesh.evaluate(outbound_endpoints, SIDECAR, HERE), mesh.evaluate(outbound_endpoints, SIDECAR, THERE)
    assert (here is there) == (reach == EndpointReach())
    assert here[B] is there[B]


def test_the_place_is_narrowed_to_what_matters() -> None:
    """The rest of the place cannot split what is shared; the cluster that a proxy is in always counts."""
    where = EndpointView(Locality("r1"), "net", "c1", "node-1")
    assert EndpointReach().narrowed(where) == EndpointView(cluster_id="c1")
    assert EndpointReach(locality=True).narrowed(where) == EndpointView(Locality("r1"), cluster_id="c1")
    assert EndpointReach(node=True).narrowed(where) == EndpointView(cluster_id="c1", node_name="node-1")
    assert EndpointReach(locality=True).joined(EndpointReach(node=True)) == EndpointReach(locality=True, node=True)


def test_node_local_endpoints() -> None:
    """A proxy on another node gets the empty answer."""
    mesh = TextMesh(MESH + LOCAL)
    assert endpoints(mesh)[A] != endpoints(mesh, where=THERE)[A]
