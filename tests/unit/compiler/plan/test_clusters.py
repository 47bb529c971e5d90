"""Tests of the plan of outbound clusters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.inputs.clusters import (
    ClusterInput,
    Discovery,
    DnsFamily,
    HttpInput,
    LbPolicy,
    ProxyHeader,
    RetryBudgetInput,
    UpstreamHttp,
)
from meshctl_operator.model.proxies import Locality, ProxyRole
from meshctl_operator.model.views import EndpointView, OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.plans import plan_outbound_clusters

SIDECAR = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
GATEWAY = replace(SIDECAR, role=ProxyRole.ROUTER)
LOCAL = replace(SIDECAR, local=True)


def kubernetes(name: str = "web", ports: str = "[{name: http, port: 80}]", ip: str = "10.0.0.1", namespace: str = "default") -> str:
    """Return a Service."""
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{clusterIP: {ip}, ports: {ports}}}\n"


def entry(rest: str, host: str = "a.example.com", name: str = "ext", annotations: str = "") -> str:
    """Return a ServiceEntry with an HTTP port 80."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default, annotations: {{{annotations}}}}}
spec: {{hosts: ["{host}"], ports: [{{number: 80, name: http, protocol: HTTP}}], {rest}}}
"""


def rule(body: str, host: str = "web", name: str = "rule") -> str:
    """Return a DestinationRule."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {name}, namespace: default}}
spec: {{host: "{host}", {body}}}
"""


def clusters(text: str, view: OutboundView = SIDECAR) -> dict[str, ClusterInput]:
    """Return the planned clusters without the fixed ones, by name without the direction."""
    found = TextMesh(text).evaluate(plan_outbound_clusters, view).value
    return {each.input.name.removeprefix("outbound|"): each.input for each in found if each.input.name.startswith("outbound|")}


def only(text: str, view: OutboundView = SIDECAR) -> ClusterInput:
    """Return the only planned cluster."""
    (found,) = clusters(text, view).values()
    return found


def findings(text: str, view: OutboundView = SIDECAR) -> list[tuple[str, str]]:
    """Return code and severity of the findings."""
    return [(each.code, each.severity.value) for each in TextMesh(text).evaluate(plan_outbound_clusters, view).diagnostics]


WEB = "web.default.svc.cluster.local"


def test_one_cluster_per_port_and_subset() -> None:
    """Each port has its cluster and those of the subsets, in order; UDP ports have none."""
    text = kubernetes(ports="[{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}, {name: tcp, port: 90}]")
    text += rule("subsets: [{name: v2}, {name: v1}]")
    assert list(clusters(text)) == [f"80||{WEB}", f"80|v2|{WEB}", f"80|v1|{WEB}", f"90||{WEB}", f"90|v2|{WEB}", f"90|v1|{WEB}"]


@pytest.mark.parametrize(
    ("view", "fixed"),
    [
        (SIDECAR, ["BlackHoleCluster", "PassthroughCluster"]),
        (GATEWAY, ["BlackHoleCluster"]),
        (LOCAL, ["BlackHoleCluster", "PassthroughCluster"]),
    ],
)
def test_fixed_clusters(view: OutboundView, fixed: list[str]) -> None:
    """Sidecars can pass traffic through; gateways cannot."""
    assert [each.input.name for each in TextMesh("").evaluate(plan_outbound_clusters, view).value] == fixed


def test_passthrough_takes_the_pool_of_the_mesh() -> None:
    """The pass-through cluster speaks what the client speaks, within the mesh's default limits."""
    mesh = TextMesh("", defaultTrafficPolicy={"connectionPool": {"tcp": {"maxConnections": 5, "connectTimeout": "2s"}}})
    found = mesh.evaluate(plan_outbound_clusters, SIDECAR).value[1].input
    assert (found.discovery, found.balancing.policy) == (Discovery.ORIGINAL_DST, LbPolicy.CLUSTER_PROVIDED)
    assert found.http == HttpInput(protocol=UpstreamHttp.AS_DOWNSTREAM, idle_timeout=Duration.of(seconds=300))
    assert found.breakers
    assert (found.breakers.max_connections, found.connect_timeout) == (5, Duration.of(seconds=2))


NONE_ENTRY = entry("resolution: NONE")
HEADLESS = kubernetes(ip="None")


@pytest.mark.parametrize(
    ("text", "view", "expected"),
    [
        pytest.param(kubernetes(), SIDECAR, Discovery.EDS, id="service"),
        pytest.param(entry("resolution: STATIC"), SIDECAR, Discovery.EDS, id="static"),
        pytest.param(entry("resolution: DNS"), SIDECAR, Discovery.STRICT_DNS, id="dns"),
        pytest.param(entry("resolution: DNS"), GATEWAY, Discovery.STRICT_DNS, id="dns-at-gateway"),
        pytest.param(entry("resolution: DNS_ROUND_ROBIN"), SIDECAR, Discovery.LOGICAL_DNS, id="dns-round-robin"),
        pytest.param(HEADLESS, SIDECAR, Discovery.ORIGINAL_DST, id="headless"),
        pytest.param(HEADLESS, GATEWAY, Discovery.EDS, id="headless-at-gateway"),
        pytest.param(HEADLESS, LOCAL, Discovery.EDS, id="headless-in-the-local-mesh"),
        pytest.param(NONE_ENTRY, SIDECAR, Discovery.ORIGINAL_DST, id="none"),
        pytest.param(NONE_ENTRY, GATEWAY, Discovery.EDS, id="none-at-gateway"),
        pytest.param(NONE_ENTRY, LOCAL, Discovery.STRICT_DNS, id="none-in-the-local-mesh"),
        pytest.param(entry("resolution: NONE", "*.example.com"), LOCAL, Discovery.EDS, id="wildcard-in-the-local-mesh"),
        pytest.param(
            kubernetes() + rule("trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"),
            SIDECAR,
            Discovery.ORIGINAL_DST,
            id="lb-passthrough",
        ),
        pytest.param(
            kubernetes() + rule("trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"), LOCAL, Discovery.EDS, id="lb-passthrough-locally"
        ),
    ],
)
def test_how_endpoints_are_found(text: str, view: OutboundView, expected: Discovery) -> None:
    """Resolution, role and interception decide the type of the cluster; only ORIGINAL_DST balances by itself."""
    found = only(text, view)
    assert found.discovery is expected
    assert (found.balancing.policy is LbPolicy.CLUSTER_PROVIDED) == (expected is Discovery.ORIGINAL_DST)
    assert (found.load_assignment is not None) == (expected in {Discovery.STRICT_DNS, Discovery.LOGICAL_DNS})
    assert found.eds_name == (found.name if expected is Discovery.EDS else "")


def test_passthrough_of_the_rule_is_inherited_by_subsets() -> None:
    """A subset of a service that is passed through is passed through as well, even if it names another balancer."""
    body = "trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]"
    assert {each.discovery for each in clusters(kubernetes() + rule(body)).values()} == {Discovery.ORIGINAL_DST}
    own = rule("subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}]")
    found = clusters(kubernetes() + own)
    assert (found[f"80||{WEB}"].discovery, found[f"80|v1|{WEB}"].discovery) == (Discovery.EDS, Discovery.ORIGINAL_DST)


def test_passthrough_in_the_local_mesh_is_told() -> None:
    """The local mesh has no original destination; that PASSTHROUGH has no effect there is said."""
    assert findings(kubernetes() + rule("trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}"), LOCAL) == [("MC2315", "info")]


def test_an_overridden_port_of_a_host_without_resolution() -> None:
    """The target port of a ServiceEntry without resolution replaces the port of the original destination."""
    found = only(NONE_ENTRY.replace("protocol: HTTP", "protocol: HTTP, targetPort: 8080"))
    assert found.port_override == 8080
    assert only(NONE_ENTRY).port_override is None


def test_endpoints_of_dns_clusters_stand_in_the_cluster() -> None:
    """A DNS cluster carries its endpoints; a subset only those with its labels."""
    text = entry("resolution: DNS, endpoints: [{address: b.example.com, labels: {v: b}}, {address: c.example.com, labels: {v: c}}]")
    found = clusters(text + rule("subsets: [{name: b, labels: {v: b}}]", "a.example.com"))
    addresses = {
        name: [each.address for locality in cluster.load_assignment.localities for each in locality.endpoints]
        for name, cluster in found.items()
        if cluster.load_assignment
    }
    assert addresses == {"80||a.example.com": ["b.example.com", "c.example.com"], "80|b|a.example.com": ["b.example.com"]}
    assert {cluster.dns_refresh for cluster in found.values()} == {Duration.of(seconds=60)}


def test_dns_clusters_without_endpoints_are_left_out() -> None:
    """There is no DNS cluster without endpoints, neither of the host nor of a subset; both are told."""
    wildcard = entry("resolution: DNS", "*.example.com")
    assert clusters(wildcard) == {}
    assert findings(wildcard) == [("MC2303", "warning")]
    subset = entry("resolution: DNS") + rule("subsets: [{name: v1, labels: {v: v1}}]", "a.example.com")
    assert list(clusters(subset)) == ["80||a.example.com"]
    assert findings(subset) == [("MC2303", "warning")]


def test_logical_dns_has_one_endpoint() -> None:
    """A raced connect takes logical DNS where one endpoint is named, and stays with strict DNS where there are more."""
    race = "istio.io/connect-strategy: RACE_FIRST_TCP_CONNECT"
    one = only(entry("resolution: DNS", annotations=race))
    two = only(entry("resolution: DNS, endpoints: [{address: b.example.com}, {address: c.example.com}]", annotations=race))
    assert (one.discovery, one.dns_family) == (Discovery.LOGICAL_DNS, DnsFamily.ALL)
    assert (two.discovery, two.dns_family) == (Discovery.STRICT_DNS, DnsFamily.ALL)
    robin = only(entry("resolution: DNS_ROUND_ROBIN, endpoints: [{address: b.example.com}]"))
    assert robin.load_assignment
    assert [len(each.endpoints) for each in robin.load_assignment.localities] == [1]


def test_tls_that_we_cannot_do_is_never_plain_text() -> None:
    """Where TLS is asked for and cannot be had, the cluster is left out and an error says so; other clusters stay."""
    text = kubernetes() + rule("subsets: [{name: v1, trafficPolicy: {tls: {mode: MUTUAL}}}]")
    assert list(clusters(text)) == [f"80||{WEB}"]
    assert findings(text) == [("MC2313", "error")]


def test_tls_to_an_external_host() -> None:
    """SIMPLE takes the name of the request for SNI and checks it, unless the rule names one; metadata keeps ALPN as it is."""
    text = entry("resolution: DNS, subjectAltNames: [b.example.com]")
    automatic = only(text + rule("trafficPolicy: {tls: {mode: SIMPLE}}", "a.example.com"))
    named = only(text + rule("trafficPolicy: {tls: {mode: SIMPLE, sni: x, subjectAltNames: [y]}}", "a.example.com"))
    assert automatic.tls
    assert named.tls
    assert automatic.http
    assert (automatic.http.auto_sni, automatic.http.auto_san_validation, automatic.tls.subject_alt_names) == (
        True,
        True,
        ("b.example.com",),
    )
    assert (named.http, named.tls.sni, named.tls.subject_alt_names) == (None, "x", ("y",))
    assert not automatic.metadata.alpn_override


def test_metadata() -> None:
    """Metadata names the service, the rule and the subset; only the service as a whole is marked as external."""
    found = clusters(entry("resolution: STATIC") + rule("subsets: [{name: v1}]", "a.example.com"))
    whole, subset = found["80||a.example.com"].metadata, found["80|v1|a.example.com"].metadata
    assert (whole.external, whole.subset, subset.external, subset.subset) == (True, "", False, "v1")
    assert whole.rule
    assert whole.rule.name == "rule"
    assert [(each.host, each.name, each.namespace) for each in whole.services] == [("a.example.com", "a.example.com", "default")]


def test_statistics_names() -> None:
    """Statistics are kept under the cluster's name, or under the mesh's pattern."""
    pattern = "%SERVICE%_%SERVICE_PORT_NAME%_%SUBSET_NAME%"
    found = TextMesh(kubernetes(), outboundClusterStatName=pattern).evaluate(plan_outbound_clusters, SIDECAR).value[0].input
    assert found.alt_stat_name == "web.default_http_;"
    assert only(kubernetes()).alt_stat_name == f"outbound|80||{WEB};"


def test_panic_routing_is_off_unless_a_minimum_is_wanted() -> None:
    """Unready endpoints are sent, so panic routing would use them: it is off, unless minHealthPercent turns it on."""
    assert only(kubernetes()).panic_threshold == 0
    assert only(kubernetes() + rule("trafficPolicy: {outlierDetection: {minHealthPercent: 40}}")).panic_threshold == 40


def test_unusable_values_cost_only_themselves() -> None:
    """A value that Envoy would refuse is left out and told; the cluster is served."""
    text = kubernetes() + rule("trafficPolicy: {outlierDetection: {maxEjectionPercent: 150, interval: 5s}}")
    found = only(text)
    assert found.outlier
    assert (found.outlier.max_ejection_percent, found.outlier.interval) == (None, Duration.of(seconds=5))
    assert findings(text) == [("MC2314", "warning")]


def test_findings_of_the_whole_mesh_are_no_part_of_a_plan() -> None:
    """What is wrong with services, selectors, rules and Sidecars is told once for the mesh, not beside the clusters of each view."""
    text = kubernetes("x").replace("clusterIP: 10.0.0.1", "type: ExternalName, externalName: a.com") + rule("subsets: []", "nobody")
    text += entry("resolution: STATIC, workloadSelector: {labels: {app: gone}}")
    two = "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: %s, namespace: default}\nspec: {egress: [{hosts: ['./*']}]}\n"
    text += two % "s1" + two % "s2"
    assert findings(text) == []
    found = TextMesh(text).evaluate(mesh_findings)
    assert sorted(each.code for each in found) == ["MC2301", "MC2304", "MC2310", "MC2320"]


def test_the_order_of_objects_does_not_matter() -> None:
    """The same objects in any order give equal plans."""
    parts = [
        kubernetes("a"),
        kubernetes("b"),
        entry("resolution: DNS"),
        rule("subsets: [{name: v1}]", "a"),
        rule("subsets: [{name: v2}]", "a", "r2"),
    ]
    assert TextMesh("".join(parts)).evaluate(plan_outbound_clusters, SIDECAR) == TextMesh("".join(reversed(parts))).evaluate(
        plan_outbound_clusters, SIDECAR
    )


SLICE = """
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, namespace: default, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: http, port: 80}]
endpoints: [{addresses: [%s]}]
"""


def test_endpoints_recompute_no_cluster() -> None:
    """A change of endpoints recomputes nothing of the clusters."""
    mesh = TextMesh(kubernetes("a") + kubernetes("b") + rule("subsets: [{name: v1}]", "a") + SLICE % "10.1.0.1")
    before = mesh.evaluate(plan_outbound_clusters, SIDECAR)
    mesh.statistics.recomputed.clear()
    mesh.add(SLICE % "10.1.0.2")
    assert mesh.evaluate(plan_outbound_clusters, SIDECAR) is before
    assert mesh.statistics.total == 0


def test_a_rule_recomputes_the_clusters_of_its_service_alone() -> None:
    """A changed DestinationRule plans the clusters of its service again, and no other's."""
    mesh = TextMesh(kubernetes("a") + kubernetes("b") + rule("subsets: [{name: v1}]", "a"))
    mesh.evaluate(plan_outbound_clusters, SIDECAR)
    mesh.statistics.recomputed.clear()
    mesh.add(rule("subsets: [{name: v2}]", "a"))
    mesh.evaluate(plan_outbound_clusters, SIDECAR)
    assert mesh.statistics.recomputed["plan_service_clusters"] == 1


def test_retry_budget_and_proxy_header() -> None:
    """Both are inherited by subsets and dropped where port-level settings hold; unset values are Istio's."""
    ports = "[{name: http, port: 80}, {name: http-b, port: 81}]"
    policy = "retryBudget: {percent: 50}, proxyProtocol: {version: V2}, portLevelSettings: [{port: {number: 81}, tls: {}}]"
    subsets = "[{name: a}, {name: b, trafficPolicy: {retryBudget: {minRetryConcurrency: 9}}}]"
    found = clusters(kubernetes(ports=ports) + rule(f"trafficPolicy: {{{policy}}}, subsets: {subsets}"))
    budgets = {name.rsplit("|", 1)[0]: each.breakers.retry_budget if each.breakers else None for name, each in found.items()}
    assert budgets == {
        "80|": RetryBudgetInput(50, 3),
        "80|a": RetryBudgetInput(50, 3),
        "80|b": RetryBudgetInput(20, 9),
        "81|": None,
        "81|a": None,
        "81|b": RetryBudgetInput(20, 9),
    }
    headers = {name.rsplit("|", 1)[0]: each.proxy_header for name, each in found.items()}
    assert headers == {name: ProxyHeader.V2 if name.startswith("80") else None for name in budgets}


def test_clusters_that_carry_their_endpoints_prefer_near_ones() -> None:
    """Endpoints that the proxy resolves have priorities by its own place, too."""
    endpoints = "endpoints: [{address: a.example.net, locality: r1/z1}, {address: b.example.net, locality: r2}]"
    text = entry(f"resolution: DNS, {endpoints}") + rule("trafficPolicy: {outlierDetection: {}}", "a.example.com")
    for here, expected in (("r1", [0, 1]), ("r2", [1, 0])):
        view = replace(SIDECAR, where=EndpointView(Locality.parse(here)))
        (cluster,) = (each for each in clusters(text, view).values() if each.load_assignment)
        assert cluster.load_assignment
        assert [each.priority for each in cluster.load_assignment.localities] == expected
