"""Tests of service targets: what a workload serves."""

from __future__ import annotations

from meshctl_operator.model.targets import all_service_targets, service_targets
from meshctl_operator.model.views import InboundView
from tests.support.mesh_text import TextMesh

VIEW = InboundView("default", "web-1", (("app", "web"), ("version", "v1")), ("10.1.0.1",))
POD = """
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: default, labels: {app: web, version: v1}}
spec: {containers: [{name: app, ports: [{name: web, containerPort: 8888}]}]}
status: {podIP: 10.1.0.1}
"""


def kubernetes(name: str, ports: str, selector: str = "app: web", day: int = 1, namespace: str = "default") -> str:
    """Return a Service; day 1 is older than day 9."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "2026-01-{day:02}T00:00:00Z"}}
spec: {{clusterIP: 10.0.0.1, selector: {{{selector}}}, ports: {ports}}}
"""


def served(text: str, view: InboundView = VIEW) -> list[tuple[str, int, int]]:
    """Return (service, port, target port) of what the workload serves."""
    return [(each.service.name, each.port.number, each.target_port) for each in TextMesh(text).evaluate(service_targets, view)]


def test_services_select_by_labels() -> None:
    """Services of the same namespace whose selector matches count; an empty selector and other namespaces do not."""
    assert served(
        kubernetes("web", "[{name: http, port: 80, targetPort: 8080}]")
        + kubernetes("v2", "[{name: http, port: 81}]", "app: web, version: v2")
        + kubernetes("none", "[{name: http, port: 82}]", "")
        + kubernetes("far", "[{name: http, port: 83}]", namespace="other")
    ) == [("web", 80, 8080)]


def test_target_ports() -> None:
    """A target port is a number, a container port's name, or the port itself; an unknown name and UDP give nothing."""
    ports = "[{name: a, port: 90}, {name: b, port: 80, targetPort: web}, {name: c, port: 81, targetPort: gone}, {name: d, port: 53, protocol: UDP}]"
    assert served(kubernetes("web", ports) + POD) == [("web", 90, 90), ("web", 80, 8888)]


def test_named_ports_wait_for_the_workload() -> None:
    """Without the workload its container ports are not known."""
    assert served(kubernetes("web", "[{name: b, port: 80, targetPort: web}]")) == []


def test_of_one_target_port_the_oldest_service_counts() -> None:
    """Several services behind one port give one target, the oldest's; all of them are told for telemetry."""
    text = kubernetes("young", "[{name: http, port: 80, targetPort: 8080}]", day=9) + kubernetes(
        "old", "[{name: tcp, port: 90, targetPort: 8080}]"
    )
    assert served(text) == [("old", 90, 8080)]
    assert [each.service.name for each in TextMesh(text).evaluate(all_service_targets, VIEW)] == ["old", "young"]


def test_a_service_entry_selects_pods() -> None:
    """A workloadSelector makes a pod serve the ServiceEntry's ports."""
    entry = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: default}
spec: {hosts: [a.example.com], ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}], resolution: STATIC, workloadSelector: {labels: {app: web}}}
"""
    assert served(entry) == [("a.example.com", 80, 8080)]


def test_a_workload_entry_maps_ports() -> None:
    """The port map of a WorkloadEntry names service ports or target ports."""
    entry = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web-1, namespace: default}
spec: {address: 10.1.0.1, labels: {app: web, version: v1}, ports: {http: 7000, adm: 7001}}
"""
    ports = "[{name: http, port: 80}, {name: admin, port: 81, targetPort: adm}, {name: other, port: 82, targetPort: gone}]"
    assert served(kubernetes("web", ports) + entry) == [("web", 80, 7000), ("web", 81, 7001)]


def test_endpoints_count_where_no_service_selects() -> None:
    """A Service without selector whose slices name the workload's address counts only if no selector matches."""
    manual = """
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: manual-1, namespace: default, labels: {kubernetes.io/service-name: manual}}
addressType: IPv4
ports: [{name: http, port: 6000}]
endpoints: [{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}]
"""
    bare = kubernetes("manual", "[{name: http, port: 80}]", "") + manual
    assert served(bare) == [("manual", 80, 6000)]
    assert served(bare + kubernetes("web", "[{name: http, port: 90}]")) == [("web", 90, 90)]
    alias = bare.replace("spec: {", "spec: {type: ExternalName, externalName: api.example.com, ", 1)
    assert alias != bare
    assert served(alias) == [], "nothing is sent to the endpoints of an alias"
