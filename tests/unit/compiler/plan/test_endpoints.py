"""Tests of the plan of endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.model.proxies import Locality, ProxyRole
from meshctl_operator.model.views import EndpointView, OutboundView
from tests.support.mesh_text import TextMesh
from tests.support.plans import endpoints_of_cluster

VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")
HERE = EndpointView(Locality("r1", "z1", "s1"), node_name="node-a")
CLUSTER = "outbound|80||web.default.svc.cluster.local"


def web(endpoints: str, spec: str = "", labels: str = "") -> str:
    """Return the Service web with one EndpointSlice."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default, labels: {{{labels}}}}}
spec: {{clusterIP: 10.0.0.1, ports: [{{name: http, port: 80}}, {{name: other, port: 81}}] {spec}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: default, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{endpoints}]
"""


def rule(body: str) -> str:
    """Return a DestinationRule for web."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: rule, namespace: default}}
spec: {{host: web, {body}}}
"""


def addresses(text: str, cluster: str = CLUSTER, where: EndpointView = HERE) -> list[str]:
    """Return the addresses of a cluster."""
    found = TextMesh(text).evaluate(endpoints_of_cluster, VIEW, where, cluster).input
    return [endpoint.address for locality in found.localities for endpoint in locality.endpoints]


def test_a_port_that_the_service_lacks_has_no_endpoints() -> None:
    """Whatever is asked for gets an answer, an empty one where there is nothing: Envoy waits for it."""
    cluster = "outbound|99||web.default.svc.cluster.local"
    found = TextMesh(web("{addresses: [10.1.0.1]}")).evaluate(endpoints_of_cluster, VIEW, HERE, cluster)
    assert found.input == EndpointsInput(cluster)
    assert [str(key) for key in found.provenance] == ["Service/default/web"]


def test_ports_join_by_name() -> None:
    """An endpoint belongs to the service port of the same name."""
    text = web("{addresses: [10.1.0.1]}")
    assert addresses(text) == ["10.1.0.1"]
    assert addresses(text, CLUSTER.replace("|80|", "|81|")) == []


UNREADY = "{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], conditions: {ready: false, terminating: false}}, {addresses: [10.1.0.3], conditions: {ready: false}}"


@pytest.mark.parametrize(
    ("policy", "labels", "expected"),
    [
        pytest.param("", "", ["10.1.0.1", "10.1.0.2"], id="unready-are-sent-terminating-are-not"),
        pytest.param("outlierDetection: {minHealthPercent: 10}", "", ["10.1.0.1"], id="unready-are-dropped-where-panic-is-meant"),
        pytest.param("outlierDetection: {interval: 1s}", "", ["10.1.0.1", "10.1.0.2"], id="outlier-detection-alone-keeps-them"),
        pytest.param("", "istio.io/persistent-session: x", ["10.1.0.1", "10.1.0.2", "10.1.0.3"], id="draining-for-persistent-sessions"),
    ],
)
def test_which_health_is_served(policy: str, labels: str, expected: list[str]) -> None:
    """Unready endpoints are told as unhealthy unless the policy wants a minimum; terminating ones drain only for sticky sessions."""
    text = web(UNREADY, labels=labels) + (rule(f"trafficPolicy: {{{policy}}}") if policy else "")
    assert addresses(text) == expected


def test_node_local_services_stay_on_the_node() -> None:
    """With internalTrafficPolicy Local only endpoints of the client's node are used."""
    text = web("{addresses: [10.1.0.1], nodeName: node-a}, {addresses: [10.1.0.2], nodeName: node-b}", ", internalTrafficPolicy: Local")
    assert addresses(text) == ["10.1.0.1"]
    assert addresses(text, where=replace(HERE, node_name="node-b")) == ["10.1.0.2"]


STATIC = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: static, namespace: default}
spec:
  hosts: [a.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
  - {address: 10.1.0.4, locality: r2/z1}
  - {address: 10.1.0.3, locality: r1/z2}
  - {address: 10.1.0.2, locality: r1/z1/s2}
  - {address: 10.1.0.1, locality: r1/z1/s1, weight: 3}
  - {address: 10.1.0.5, locality: r1/z1/s1}
"""
FAILOVER = "trafficPolicy: {outlierDetection: {interval: 1s}, loadBalancer: {localityLbSetting: {enabled: %s}}}"


def priorities(text: str, where: EndpointView = HERE, **mesh_config: Any) -> list[tuple[str, int, int]]:
    """Return (place, weight, priority) of each locality of the static service."""
    found = TextMesh(text, **mesh_config).evaluate(endpoints_of_cluster, VIEW, where, "outbound|80||a.example.com").input
    return [(f"{each.region}/{each.zone}/{each.sub_zone}", each.weight, each.priority) for each in found.localities]


def test_localities_are_ordered_and_weighted() -> None:
    """Localities come in the order of their names, each as heavy as its endpoints together; alike without outlier detection."""
    assert priorities(STATIC) == [("r1/z1/s1", 4, 0), ("r1/z1/s2", 1, 0), ("r1/z2/", 1, 0), ("r2/z1/", 1, 0)]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Locality("r1", "z1", "s1"), [0, 1, 2, 3]),
        (Locality("r1", "z1", "s9"), [0, 0, 1, 2]),
        (Locality("r1", "z9"), [0, 0, 0, 1]),
        (Locality("r2", "z1"), [1, 1, 1, 0]),
        (Locality(), [0, 0, 0, 0]),
    ],
)
def test_failover(where: Locality, expected: list[int]) -> None:
    """Once failures are noticed near endpoints come first: same sub-zone, zone, region, rest, numbered without gaps."""
    text = STATIC + rule("trafficPolicy: {outlierDetection: {interval: 1s}}").replace("host: web", "host: a.example.com")
    assert [priority for _, _, priority in priorities(text, EndpointView(where))] == expected


@pytest.mark.parametrize(("enabled", "mesh", "expected"), [("true", False, 3), ("false", True, 0), ("", True, 3), ("", False, 0)])
def test_failover_can_be_declined(enabled: str, mesh: bool, expected: int) -> None:  # noqa: FBT001  (a column of the table)
    """``localityLbSetting.enabled: false`` of the rule, else of the mesh, switches it off."""
    body = FAILOVER % enabled if enabled else "trafficPolicy: {outlierDetection: {interval: 1s}}"
    text = STATIC + rule(body).replace("host: web", "host: a.example.com")
    assert max(each[2] for each in priorities(text, localityLbSetting={"enabled": mesh})) == expected


def test_the_mesh_s_outlier_detection_orders_nothing() -> None:
    """Outlier detection of the mesh's default policy ejects, but gives no priorities (as istiod has it)."""
    assert max(each[2] for each in priorities(STATIC, defaultTrafficPolicy={"outlierDetection": {"interval": "1s"}})) == 0


def test_the_order_of_endpoints_does_not_matter() -> None:
    """The same endpoints in any order give an equal plan."""
    one, two = "{addresses: [10.1.0.1]}", "{addresses: [10.1.0.2]}"
    assert addresses(web(f"{one}, {two}")) == addresses(web(f"{two}, {one}")) == ["10.1.0.1", "10.1.0.2"]


@pytest.mark.parametrize(
    ("view", "expected"),
    [((), ["10.1.0.1", "10.1.0.2", "10.1.0.3"]), (("n1",), ["10.1.0.1", "10.1.0.3"]), (("n1", "n2"), ["10.1.0.1", "10.1.0.2", "10.1.0.3"])],
)
def test_a_proxy_may_see_some_networks_only(view: tuple[str, ...], expected: list[str]) -> None:
    """Endpoints of other networks are left out for who says which ones it wants; those of no network are everybody's."""
    pods = "".join(
        f"""---
apiVersion: v1
kind: Pod
metadata: {{name: web-{number}, namespace: default, labels: {{topology.istio.io/network: "{network}"}}}}
spec: {{}}
status: {{podIP: 10.1.0.{number}, phase: Running}}
"""
        for number, network in ((1, "n1"), (2, "n2"), (3, ""))
    )
    text = web(", ".join(f"{{addresses: [10.1.0.{number}], targetRef: {{kind: Pod, name: web-{number}}}}}" for number in (1, 2, 3)))
    assert addresses(text + pods, where=replace(HERE, network_view=view)) == expected
