"""Tests of the plan of inbound clusters."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.clusters import BreakersInput, ClusterInput, Discovery, LbPolicy, UpstreamHttp
from meshctl_operator.compiler.plan.inbound_clusters import plan_inbound_clusters
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding
from meshctl_operator.model.views import InboundView
from tests.support.mesh_text import TextMesh

VIEW = InboundView("default", "web-1", (("app", "web"),), ("10.1.0.1",))
LOCAL = replace(VIEW, local=LocalBinding("127.0.1.2", app_ports=((8080, 41234),)), interception=InterceptionMode.NONE)
PORTS = "[{name: http, port: 80, targetPort: 8080}, {name: grpc, port: 81}, {name: tcp, port: 82}, {name: any, port: 83}]"


def kubernetes(name: str = "web", ports: str = PORTS, day: int = 1) -> str:
    """Return a Service that selects the workload."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: default, creationTimestamp: "2026-01-{day:02}T00:00:00Z"}}
spec: {{clusterIP: 10.0.0.1, selector: {{app: web}}, ports: {ports}}}
"""


def rule(policy: str, extra: str = "") -> str:
    """Return a DestinationRule for web."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: rule, namespace: default}}
spec: {{host: web, trafficPolicy: {policy} {extra}}}
"""


def clusters(text: str, view: InboundView = VIEW) -> dict[str, ClusterInput]:
    """Return the planned clusters by name."""
    return {each.input.name: each.input for each in TextMesh(text).evaluate(plan_inbound_clusters, view).value}


def test_a_cluster_per_target_port() -> None:
    """Captured traffic goes on to its original address, from a source that is not captured again."""
    found = clusters(kubernetes())
    assert list(found) == ["inbound|81||", "inbound|82||", "inbound|83||", "inbound|8080||", "InboundPassthroughCluster"]
    cluster = found["inbound|8080||"]
    assert (cluster.discovery, cluster.balancing.policy) == (Discovery.ORIGINAL_DST, LbPolicy.CLUSTER_PROVIDED)
    assert (cluster.bind_address, cluster.keep_unused_hosts, cluster.alt_stat_name) == ("127.0.0.6", True, "inbound|8080||;")
    assert found["InboundPassthroughCluster"].bind_address == "127.0.0.6"


def test_the_mesh_can_send_inbound_traffic_to_the_loopback_address() -> None:
    """Where the mesh says LOCALHOST the workload is reached at 127.0.0.1, from whatever address."""
    mesh = TextMesh(kubernetes(ports="[{name: http, port: 80, targetPort: 8080}]"), inboundTrafficPolicy={"mode": "LOCALHOST"})
    cluster = mesh.evaluate(plan_inbound_clusters, VIEW).value[0].input
    assert (cluster.discovery, cluster.balancing.policy, cluster.bind_address) == (Discovery.STATIC, LbPolicy.ROUND_ROBIN, "")
    assert cluster.load_assignment is not None
    endpoint = cluster.load_assignment.localities[0].endpoints[0]
    assert (endpoint.address, endpoint.port) == ("127.0.0.1", 8080)


def test_protocols() -> None:
    """HTTP/2 ports are spoken to in HTTP/2, undeclared ones as the client speaks, others by default."""
    found = clusters(kubernetes())
    assert {name: cluster.http.protocol if cluster.http else None for name, cluster in found.items()} == {
        "inbound|8080||": None,
        "inbound|81||": UpstreamHttp.HTTP2,
        "inbound|82||": None,
        "inbound|83||": UpstreamHttp.AS_DOWNSTREAM,
        "InboundPassthroughCluster": UpstreamHttp.AS_DOWNSTREAM,
    }


def test_only_the_connection_pool_of_a_rule_counts() -> None:
    """Limits hold towards the workload too; balancing, ejection, TLS and upgrades are for clients."""
    policy = "{connectionPool: {tcp: {maxConnections: 7}, http: {h2UpgradePolicy: UPGRADE}}, loadBalancer: {simple: RANDOM}, outlierDetection: {}, tls: {mode: SIMPLE}}"
    found = clusters(kubernetes() + rule(policy))["inbound|8080||"]
    assert found.breakers
    assert found.breakers.max_connections == 7
    assert (found.outlier, found.tls, found.http, found.panic_threshold) == (None, None, None, None)


def test_port_level_pools_and_client_protocol() -> None:
    """Settings for the service port count; useClientProtocol passes the client's protocol on."""
    policy = "{connectionPool: {tcp: {maxConnections: 7}}, portLevelSettings: [{port: {number: 80}, connectionPool: {http: {useClientProtocol: true}}}]}"
    found = clusters(kubernetes() + rule(policy))
    here, there = found["inbound|8080||"], found["inbound|82||"]
    assert here.http
    assert here.breakers
    assert there.breakers
    assert (here.http.protocol, here.breakers.max_connections) == (UpstreamHttp.AS_DOWNSTREAM, 2**32 - 1)
    assert there.breakers.max_connections == 7


def test_rules_for_some_workloads_do_not_count() -> None:
    """A rule with a workloadSelector is about clients."""
    text = kubernetes() + rule("{connectionPool: {tcp: {maxConnections: 7}}}", ", workloadSelector: {matchLabels: {app: web}}")
    breakers = clusters(text)["inbound|8080||"].breakers
    assert breakers
    assert breakers.max_connections == 2**32 - 1


def test_several_services_behind_one_port() -> None:
    """The oldest service decides; metadata and provenance name all of them."""
    text = kubernetes("young", "[{name: tcp, port: 90, targetPort: 8080}]", day=9) + kubernetes(
        "old", "[{name: grpc, port: 70, targetPort: 8080}]"
    )
    (planned, _) = TextMesh(text).evaluate(plan_inbound_clusters, VIEW).value
    assert planned.input.http
    assert planned.input.http.protocol is UpstreamHttp.HTTP2
    assert [each.name for each in planned.input.metadata.services] == ["old", "young"]
    assert [key.name for key in planned.provenance] == ["old", "young"]


def test_the_local_mesh_reaches_the_application_on_loopback() -> None:
    """There the application listens on a port of its own; nothing passes through, and nothing is bound."""
    found = clusters(kubernetes(ports="[{name: http, port: 80, targetPort: 8080}, {name: tcp, port: 82}]"), LOCAL)
    assert list(found) == ["inbound|82||", "inbound|8080||"]
    reached = {
        name: [(each.address, each.port) for locality in cluster.load_assignment.localities for each in locality.endpoints]
        for name, cluster in found.items()
        if cluster.load_assignment
    }
    assert reached == {"inbound|82||": [("127.0.0.1", 82)], "inbound|8080||": [("127.0.0.1", 41234)]}
    assert {(cluster.discovery, cluster.bind_address) for cluster in found.values()} == {(Discovery.STATIC, "")}


def test_without_interception_there_is_no_inbound_side() -> None:
    """A sidecar that captures nothing serves no inbound ports."""
    assert list(clusters(kubernetes(), replace(VIEW, interception=InterceptionMode.NONE))) == ["InboundPassthroughCluster"]


def test_statistics_names() -> None:
    """The mesh's pattern names inbound statistics."""
    mesh = TextMesh(kubernetes(ports="[{name: http, port: 80, targetPort: 8080}]"), inboundClusterStatName="%SERVICE_FQDN%_%TARGET_PORT%")
    assert mesh.evaluate(plan_inbound_clusters, VIEW).value[0].input.alt_stat_name == "web.default.svc.cluster.local_8080;"


def test_the_pool_of_a_sidecar_replaces_that_of_a_rule() -> None:
    """``inboundConnectionPool`` holds alone for every port; nothing of the rule is mixed in."""
    sidecar = """
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: own, namespace: default}
spec: {inboundConnectionPool: {tcp: {maxConnections: 3}}}
"""
    text = kubernetes() + rule("{connectionPool: {tcp: {maxConnections: 7}, http: {http1MaxPendingRequests: 9}}}") + sidecar
    key = ObjectKey(Kind.SIDECAR, "default", "own")
    compiled = TextMesh(text).evaluate(plan_inbound_clusters, replace(VIEW, sidecar=key)).value
    found = next(each for each in compiled if each.input.name == "inbound|8080||")
    assert found.input.breakers == BreakersInput(max_connections=3)
    assert key in found.provenance


def test_findings_about_a_pool() -> None:
    """An unusable value of the rule is told."""
    compiled = TextMesh(kubernetes() + rule("{connectionPool: {tcp: {connectTimeout: 0s}}}")).evaluate(plan_inbound_clusters, VIEW)
    assert [finding.code for finding in compiled.diagnostics] == ["MC2314"]
