"""The worked example of the clusters: bookinfo's reviews with three subsets, in a mesh without mutual TLS."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.emit.endpoints import emit_endpoints
from meshctl_operator.model.proxies import Locality, ProxyRole
from meshctl_operator.model.views import EndpointView, OutboundView
from tests.support.mesh_text import TextMesh, as_json
from tests.support.plans import endpoints_of_cluster, plan_outbound_clusters

SIDECAR = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
ZONE_A = EndpointView(Locality("r1", "a"))
HOST = "reviews.default.svc.cluster.local"
UNLIMITED = 2**32 - 1

MESH = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {clusterIP: 10.0.0.20, selector: {app: reviews}, ports: [{name: http, port: 9080}]}
---
apiVersion: v1
kind: Node
metadata: {name: node-a, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: a}}
---
apiVersion: v1
kind: Node
metadata: {name: node-b, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: b}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: default}
spec:
  host: reviews
  trafficPolicy: {connectionPool: {http: {http1MaxPendingRequests: 100}}, outlierDetection: {consecutive5xxErrors: 7, interval: 5s}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}
  - {name: v3, labels: {version: v3}, trafficPolicy: {portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: RANDOM}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: default, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: http, port: 9080}]
endpoints:
- {addresses: [10.1.0.11], conditions: {ready: true}, targetRef: {kind: Pod, name: reviews-v1-5d4c-aaaaa}}
- {addresses: [10.1.0.12], conditions: {ready: true}, targetRef: {kind: Pod, name: reviews-v2-5d4c-bbbbb}}
- {addresses: [10.1.0.13], conditions: {ready: false, terminating: false}, targetRef: {kind: Pod, name: reviews-v3-5d4c-ccccc}}
""" + "".join(
    f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: reviews-{version}-5d4c-{tail}, namespace: default, labels: {{app: reviews, version: {version}, pod-template-hash: 5d4c}}}}
spec: {{serviceAccountName: bookinfo-reviews, nodeName: {node}}}
status: {{podIP: {ip}, phase: Running}}
"""
    for version, tail, node, ip in (
        ("v1", "aaaaa", "node-a", "10.1.0.11"),
        ("v2", "bbbbb", "node-a", "10.1.0.12"),
        ("v3", "ccccc", "node-b", "10.1.0.13"),
    )
)


@pytest.fixture
def mesh() -> TextMesh:
    """The inputs of the example."""
    return TextMesh(MESH)


def clusters(mesh: TextMesh, view: OutboundView = SIDECAR) -> dict[str, dict[str, Any]]:
    """Return the emitted clusters by name, in their order."""
    compiled = mesh.evaluate(plan_outbound_clusters, view)
    return {each.input.name: as_json(emit_cluster(each.input)) for each in compiled.value}


def localities(mesh: TextMesh, cluster: str, where: EndpointView = ZONE_A) -> list[tuple[str, int, int, list[tuple[str, str]]]]:
    """Return (zone, weight, priority, [(address, health)]) of each locality of a cluster."""
    message = emit_endpoints(mesh.evaluate(endpoints_of_cluster, SIDECAR, where, cluster).input)
    return [
        (
            each.locality.zone,
            each.load_balancing_weight.value,
            each.priority,
            [(endpoint.endpoint.address.socket_address.address, as_json(endpoint)["health_status"]) for endpoint in each.lb_endpoints],
        )
        for each in message.endpoints
    ]


def test_the_service_and_each_subset_have_a_cluster_in_order(mesh: TextMesh) -> None:
    """The service comes first, then its subsets in the order of the rule, then the fixed clusters."""
    assert list(clusters(mesh)) == [
        f"outbound|9080||{HOST}",
        f"outbound|9080|v1|{HOST}",
        f"outbound|9080|v2|{HOST}",
        f"outbound|9080|v3|{HOST}",
        "BlackHoleCluster",
        "PassthroughCluster",
    ]


@pytest.mark.parametrize(
    ("subset", "balancing", "pending", "outlier"),
    [
        ("", "LEAST_REQUEST", 100, (7, "5s")),
        ("v1", "LEAST_REQUEST", 100, (7, "5s")),
        ("v2", "ROUND_ROBIN", 100, (7, "5s")),
        ("v3", "RANDOM", UNLIMITED, None),
    ],
)
def test_policies_of_the_subsets(mesh: TextMesh, subset: str, balancing: str, pending: int, outlier: tuple[int, str] | None) -> None:
    """A subset's settings overlay the rule's; port-level settings of a subset replace them, so the rest falls to the defaults."""
    cluster = clusters(mesh)[f"outbound|9080|{subset}|{HOST}"]
    detection = cluster.get("outlier_detection")
    assert cluster["lb_policy"] == balancing if balancing != "ROUND_ROBIN" else "lb_policy" not in cluster
    assert cluster["circuit_breakers"]["thresholds"][0]["max_pending_requests"] == pending
    assert (detection and (detection["consecutive_5xx"], detection["interval"])) == outlier


def test_the_whole_message_of_a_subset(mesh: TextMesh) -> None:
    """The cluster of v1 is exactly this, byte for byte in meaning: Istio's names, limits lifted, panic routing off."""
    name = f"outbound|9080|v1|{HOST}"
    assert clusters(mesh)[name] == {
        "name": name,
        "alt_stat_name": f"{name};",
        "type": "EDS",
        "eds_cluster_config": {
            "service_name": name,
            "eds_config": {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"},
        },
        "connect_timeout": "10s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {}},
        "circuit_breakers": {
            "thresholds": [{"max_connections": UNLIMITED, "max_pending_requests": 100, "max_requests": UNLIMITED, "max_retries": UNLIMITED}]
        },
        "outlier_detection": {
            "enforcing_success_rate": 0,
            "consecutive_5xx": 7,
            "enforcing_consecutive_5xx": 100,
            "interval": "5s",
        },
        "metadata": {
            "filter_metadata": {
                "istio": {
                    "services": [{"host": HOST, "name": "reviews", "namespace": "default"}],
                    "config": "/apis/networking.istio.io/v1/namespaces/default/destination-rule/reviews",
                    "subset": "v1",
                }
            }
        },
    }


def test_endpoints_fail_over_by_locality_once_failures_are_noticed(mesh: TextMesh) -> None:
    """With outlier detection the proxy's own locality comes first, and priorities have no gaps."""
    assert localities(mesh, f"outbound|9080||{HOST}") == [
        ("a", 2, 0, [("10.1.0.11", "HEALTHY"), ("10.1.0.12", "HEALTHY")]),
        ("b", 1, 1, [("10.1.0.13", "UNHEALTHY")]),
    ]


def test_endpoints_of_subsets(mesh: TextMesh) -> None:
    """A subset holds the endpoints with its labels; without outlier detection all localities are alike."""
    assert localities(mesh, f"outbound|9080|v1|{HOST}") == [("a", 1, 0, [("10.1.0.11", "HEALTHY")])]
    assert localities(mesh, f"outbound|9080|v2|{HOST}") == [("a", 1, 0, [("10.1.0.12", "HEALTHY")])]
    assert localities(mesh, f"outbound|9080|v3|{HOST}") == [("b", 1, 0, [("10.1.0.13", "UNHEALTHY")])]


def test_endpoints_name_their_workload(mesh: TextMesh) -> None:
    """Each endpoint tells workload, namespace, canonical service, revision and cluster, as Istio's telemetry reads them."""
    message = emit_endpoints(mesh.evaluate(endpoints_of_cluster, SIDECAR, ZONE_A, f"outbound|9080|v1|{HOST}").input)
    assert as_json(message.endpoints[0].lb_endpoints[0])["metadata"] == {
        "filter_metadata": {"istio": {"workload": "reviews-v1;default;reviews;v1;Kubernetes"}}
    }


def test_provenance_names_the_service_and_the_rule(mesh: TextMesh) -> None:
    """A rejected cluster is blamed on the Service and the DestinationRule; a rejected set of endpoints also on the slice."""
    cluster = mesh.evaluate(plan_outbound_clusters, SIDECAR).value[0]
    endpoints = mesh.evaluate(endpoints_of_cluster, SIDECAR, ZONE_A, cluster.input.name)
    assert [str(key) for key in cluster.provenance] == ["DestinationRule/default/reviews", "Service/default/reviews"]
    assert [str(key) for key in endpoints.provenance] == [
        "DestinationRule/default/reviews",
        "EndpointSlice/default/reviews-1",
        "Service/default/reviews",
    ]


def test_without_the_rule(mesh: TextMesh) -> None:
    """Deleting the rule removes the subset clusters, outlier detection and the priorities."""
    from meshctl_operator.apis.kinds import Kind

    mesh.delete(Kind.DESTINATION_RULE, "default", "reviews")
    found = clusters(mesh)
    assert list(found) == [f"outbound|9080||{HOST}", "BlackHoleCluster", "PassthroughCluster"]
    assert "outlier_detection" not in found[f"outbound|9080||{HOST}"]
    assert [priority for _, _, priority, _ in localities(mesh, f"outbound|9080||{HOST}")] == [0, 0]
