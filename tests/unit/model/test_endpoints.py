"""Tests of endpoints."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.model.endpoints import Endpoint, Health, endpoints, selector_diagnostics
from meshctl_operator.model.proxies import Locality
from tests.support.mesh_text import TextMesh

HOST = "web.default.svc.cluster.local"


def web(labels: str = "", selector: str = "", ports: str = "[{name: http, port: 80, targetPort: 8080}]") -> str:
    """Return the Service web."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: default, labels: {{{labels}}}}}
spec: {{clusterIP: 10.0.0.1, selector: {{{selector}}}, ports: {ports}}}
"""


def endpoint_slice(endpoints: str, name: str = "web-1", ports: str = "[{name: http, port: 8080}]", kind: str = "IPv4") -> str:
    """Return an EndpointSlice of web."""
    return f"""
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}, namespace: default, labels: {{kubernetes.io/service-name: web}}}}
addressType: {kind}
ports: {ports}
endpoints: [{endpoints}]
"""


def pod(name: str, ip: str, labels: str = "app: web", ready: str = "True") -> str:
    """Return a Pod."""
    return f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: default, labels: {{{labels}}}}}
spec: {{nodeName: node-a, serviceAccountName: sa}}
status: {{podIP: {ip}, phase: Running, conditions: [{{type: Ready, status: "{ready}"}}]}}
"""


def read(text: str, host: str = HOST, *, dual_stack: bool = False) -> tuple[Endpoint, ...]:
    """Return the endpoints of a host in namespace default."""
    return TextMesh(text, switches=(("ISTIO_DUAL_STACK", str(dual_stack)),)).evaluate(endpoints, host, "default")


@pytest.mark.parametrize(
    ("conditions", "plain", "persistent"),
    [
        ("", Health.HEALTHY, Health.HEALTHY),
        ("ready: true, terminating: true", Health.HEALTHY, Health.HEALTHY),
        ("ready: false, terminating: false", Health.UNHEALTHY, Health.UNHEALTHY),
        ("ready: false, terminating: true, serving: true", Health.TERMINATING, Health.DRAINING),
        ("ready: false", Health.TERMINATING, Health.DRAINING),
        ("ready: false, serving: false, terminating: true", Health.TERMINATING, Health.TERMINATING),
    ],
)
def test_health_from_conditions(conditions: str, plain: Health, persistent: Health) -> None:
    """Conditions decide the health; a terminating endpoint drains only where sessions are persistent."""
    given = endpoint_slice(f"{{addresses: [10.1.0.1], conditions: {{{conditions}}}}}")
    (found,) = read(web() + given)
    (sticky,) = read(web(labels="istio.io/persistent-session: cookie") + given)
    assert (found.health, sticky.health) == (plain, persistent)


def test_an_endpoint_has_what_its_pod_tells() -> None:
    """Labels, account and name come from the pod, the locality from its node, whose labels win over the pod's own."""
    node = """
---
apiVersion: v1
kind: Node
metadata: {name: node-a, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1}}
"""
    (found,) = read(
        web()
        + endpoint_slice("{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-1}}")
        + pod("web-1", "10.1.0.1", labels="app: web, topology.kubernetes.io/zone: lies")
        + node
    )
    assert (found.address, found.port, found.port_name, found.workload, found.service_account) == ("10.1.0.1", 8080, "http", "web-1", "sa")
    assert found.locality == Locality("r1", "z1")
    labels = dict(found.labels)
    assert (labels["topology.kubernetes.io/zone"], labels["kubernetes.io/hostname"], labels["app"]) == ("z1", "node-a", "web")


def test_an_endpoint_waits_for_its_pod() -> None:
    """An endpoint whose pod is not known yet is left out, and appears with the pod."""
    mesh = TextMesh(web() + endpoint_slice("{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-1}}"))
    assert mesh.evaluate(endpoints, HOST, "default") == ()
    mesh.add(pod("web-1", "10.1.0.1"))
    assert [found.workload for found in mesh.evaluate(endpoints, HOST, "default")] == ["web-1"]


def test_an_endpoint_without_reference_uses_the_pod_with_its_address() -> None:
    """Without a reference the pod of that address tells; without such a pod the endpoint is served bare."""
    given = web() + endpoint_slice("{addresses: [10.1.0.1]}, {addresses: [10.1.0.2]}")
    assert [found.workload for found in read(given + pod("web-1", "10.1.0.1"))] == ["web-1", ""]


def test_a_reference_to_something_else_than_a_pod_does_not_hide_the_pod() -> None:
    """A reference that names no pod keeps the endpoint, with what the pod at its address tells."""
    text = web() + pod("p", "10.1.0.1") + endpoint_slice("{addresses: [10.1.0.1], targetRef: {kind: Machine, name: vm}}")
    assert [dict(each.labels)["app"] for each in read(text)] == ["web"]


def test_slices_of_imported_services_are_left_out() -> None:
    """A slice that stands for the service of several clusters is not one of the local service."""
    text = endpoint_slice("{addresses: [10.1.0.1]}").replace("labels: {", "labels: {multicluster.kubernetes.io/service-name: web, ")
    assert read(web() + text) == ()
    assert read(web() + endpoint_slice("{addresses: [10.1.0.1]}"))


def test_slices_are_merged_without_duplicates() -> None:
    """Two slices that overlap give each address once per port name; slices of host names and UDP ports are left out."""
    found = read(
        web()
        + endpoint_slice("{addresses: [10.1.0.2]}, {addresses: [10.1.0.1]}, {addresses: []}")
        + endpoint_slice("{addresses: [10.1.0.1]}", name="web-2")
        + endpoint_slice("{addresses: [10.1.0.9]}", name="web-4", ports="[{name: http, port: 1, protocol: UDP}, {name: http}]")
        + endpoint_slice("{addresses: [a.example.com]}", name="web-3", kind="FQDN")
    )
    assert [each.address for each in found] == ["10.1.0.1", "10.1.0.2"]


BOTH = (
    web()
    + pod("web-a", "10.1.0.1").replace("podIP: 10.1.0.1", 'podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: "fd00::1"}]')
    + endpoint_slice("{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-a}}", "four")
    + endpoint_slice('{addresses: ["fd00::1"], targetRef: {kind: Pod, name: web-a}}', "six", kind="IPv6")
)


def test_the_addresses_of_a_pod_are_one_endpoint_in_a_mesh_of_two_families() -> None:
    """Else each of them is one."""
    assert [(each.address, each.other_addresses) for each in read(BOTH)] == [("10.1.0.1", ()), ("fd00::1", ())]
    assert [(each.address, each.other_addresses) for each in read(BOTH, dual_stack=True)] == [("10.1.0.1", ("fd00::1",))]


@pytest.mark.parametrize(("dual_stack", "expected"), [(False, [("10.1.0.1", ()), ("10.1.0.2", ())]), (True, [("10.1.0.1", ("10.1.0.2",))])])
def test_several_addresses_of_an_endpoint(expected: list[tuple[str, tuple[str, ...]]], *, dual_stack: bool) -> None:
    """Without a pod behind them they are as many endpoints, or one that is reached by any of them."""
    found = read(web() + endpoint_slice("{addresses: [10.1.0.1, 10.1.0.2]}"), dual_stack=dual_stack)
    assert [(each.address, each.other_addresses) for each in found] == expected


def test_endpoints_objects_count_only_without_slices() -> None:
    """The old Endpoints object is read where no EndpointSlice exists: ready addresses healthy, others not."""
    old = """
---
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: default}
subsets: [{addresses: [{ip: 10.1.0.1}], notReadyAddresses: [{ip: 10.1.0.2}], ports: [{name: http, port: 8080}]}]
"""
    assert [(each.address, each.health) for each in read(web() + old)] == [("10.1.0.1", Health.HEALTHY), ("10.1.0.2", Health.UNHEALTHY)]
    assert [each.address for each in read(web() + old + endpoint_slice("{addresses: [10.1.0.7]}"))] == ["10.1.0.7"]


def test_draining_by_label() -> None:
    """A pod labelled as draining drains, whatever its conditions say; a terminating one stays terminating."""
    given = endpoint_slice("{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], conditions: {ready: false}}")
    labels = 'istio.io/draining: "yes"'
    found = read(web() + given + pod("a", "10.1.0.1", labels=labels) + pod("b", "10.1.0.2", labels=labels))
    assert [each.health for each in found] == [Health.DRAINING, Health.TERMINATING]


def test_a_service_selects_workload_entries() -> None:
    """WorkloadEntries join by the name of the target port, else of the service port; those without an IP do not."""
    entry = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {name}, namespace: default}}
spec: {{address: {address}, labels: {{app: web}}, ports: {{{ports}}}}}
"""
    found = read(
        web(selector="app: web", ports="[{name: http, port: 80, targetPort: 8080}, {name: admin, port: 90, targetPort: adm}]")
        + entry.format(name="vm-1", address="10.2.0.1", ports="adm: 9999")
        + entry.format(name="vm-2", address="10.2.0.2", ports="http: 8888")
        + entry.format(name="vm-3", address="vm.example.com", ports="")
    )
    assert [(each.address, each.port, each.port_name) for each in found] == [
        ("10.2.0.1", 8080, "http"),
        ("10.2.0.1", 9999, "admin"),
        ("10.2.0.2", 8888, "http"),
    ]


def service_entry(rest: str, hosts: str = "[a.example.com]") -> str:
    """Return a ServiceEntry with two ports."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: ext, namespace: default}}
spec:
  hosts: {hosts}
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: 8080}}, {{number: 443, name: tls, protocol: TLS}}]
  {rest}
"""


def addresses(text: str, host: str = "a.example.com") -> list[tuple[str, int, str]]:
    """Return address, port and workload of the endpoints of a host."""
    return [(each.address, each.port, each.workload) for each in read(text, host)]


def test_inline_endpoints() -> None:
    """The port is the endpoint's own by name, else the target port, else the number; a socket has none."""
    text = service_entry(
        "resolution: STATIC\n  endpoints: [{address: 10.3.0.1, ports: {tls: 8443}, weight: 4, locality: r1/z1}, {address: 'unix:///s'}]"
    )
    assert addresses(text) == [
        ("10.3.0.1", 8080, "ext-0"),
        ("10.3.0.1", 8443, "ext-0"),
        ("unix:///s", 0, "ext-1"),
        ("unix:///s", 0, "ext-1"),
    ]
    first = read(text, "a.example.com")[0]
    assert (first.weight, first.locality, first.health, first.is_ip_or_socket) == (4, Locality("r1", "z1"), Health.UNKNOWN, True)


def test_a_dns_host_is_its_own_endpoint() -> None:
    """Without endpoints a DNS host resolves itself; a wildcard cannot, and other resolutions have none."""
    assert addresses(service_entry("resolution: DNS")) == [("a.example.com", 443, "ext"), ("a.example.com", 8080, "ext")]
    assert not read(service_entry("resolution: DNS"), "a.example.com")[0].is_ip_or_socket
    assert addresses(service_entry("resolution: DNS", hosts='["*.example.com"]'), "*.example.com") == []
    assert addresses(service_entry("resolution: STATIC")) == []
    assert addresses(service_entry("resolution: NONE")) == []


def test_round_robin_dns_has_one_endpoint_per_port() -> None:
    """DNS_ROUND_ROBIN takes the first endpoint alone, since a logical DNS cluster has room for one."""
    text = service_entry("resolution: DNS_ROUND_ROBIN\n  endpoints: [{address: b.example.com}, {address: a.example.com}]")
    assert addresses(text) == [("b.example.com", 443, "ext-0"), ("b.example.com", 8080, "ext-0")]


def test_a_selector_takes_entries_and_ready_pods() -> None:
    """A workloadSelector takes WorkloadEntries and pods that are ready; host names only where DNS resolves them."""
    vm = """
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: default}
spec: {address: vm.example.com, labels: {app: web}}
"""
    rest = "workloadSelector: {labels: {app: web}}\n  resolution: "
    workloads = vm + pod("ready", "10.1.0.1") + pod("waiting", "10.1.0.2", ready="False")
    assert {address for address, _, _ in addresses(service_entry(rest + "STATIC") + workloads)} == {"10.1.0.1"}
    assert {address for address, _, _ in addresses(service_entry(rest + "DNS") + workloads)} == {"10.1.0.1", "vm.example.com"}


def test_a_selector_that_matches_nothing_is_told() -> None:
    """An info says that a workloadSelector selects nothing, and goes away when something appears."""
    mesh = TextMesh(service_entry("workloadSelector: {labels: {app: web}}\n  resolution: STATIC"))
    (finding,) = mesh.evaluate(selector_diagnostics)
    assert (finding.code, finding.severity, finding.path) == ("MC2304", "info", "spec.workloadSelector")
    mesh.add(pod("web-1", "10.1.0.1"))
    assert mesh.evaluate(selector_diagnostics) == ()


def test_services_of_one_host_and_namespace_share_their_endpoints() -> None:
    """A Service and a ServiceEntry with the same host complete each other."""
    text = web() + endpoint_slice("{addresses: [10.1.0.1]}")
    text += service_entry("resolution: STATIC\n  endpoints: [{address: 10.3.0.1}]", hosts=f"[{HOST}]")
    assert {each.address for each in read(text)} == {"10.1.0.1", "10.3.0.1"}


def test_endpoints_follow_their_objects() -> None:
    """A deleted slice takes its endpoints along."""
    mesh = TextMesh(web() + endpoint_slice("{addresses: [10.1.0.1]}"))
    assert len(mesh.evaluate(endpoints, HOST, "default")) == 1
    mesh.delete(Kind.ENDPOINT_SLICE, "default", "web-1")
    assert mesh.evaluate(endpoints, HOST, "default") == ()
