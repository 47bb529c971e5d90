"""Tests of workloads."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.proxies import Locality
from meshctl_operator.model.workloads import pod_at, workload, workload_named, workloads_of, workloads_selected
from tests.support.mesh_text import TextMesh

MESH = """
apiVersion: v1
kind: Pod
metadata: {name: reviews-v1-5d4c-abcde, namespace: default, labels: {app: reviews, version: v1, pod-template-hash: 5d4c}}
spec: {serviceAccountName: sa-reviews, nodeName: node-a, containers: [{name: app, ports: [{name: web, containerPort: 9080}, {containerPort: 1}]}]}
status: {podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: "fd00::1"}], phase: Running, conditions: [{type: Ready, status: "True"}]}
---
apiVersion: v1
kind: Node
metadata: {name: node-a, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1, topology.istio.io/subzone: s1}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm, namespace: default, labels: {version: v2}}
spec: {address: 10.2.0.1, labels: {app: reviews, version: v1}, ports: {http: 8080}, locality: r2/z2, weight: 5, serviceAccount: sa-vm}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ratings-v1, namespace: default}
spec:
  selector: {matchLabels: {app: ratings}}
  template:
    metadata: {labels: {app: ratings, version: v1}}
    spec: {serviceAccountName: sa-ratings, containers: [{name: app, ports: [{name: web, containerPort: 9080}]}]}
"""


def test_a_pod() -> None:
    """A pod gives its labels, addresses, account, named ports, and the locality of its node; its name is its Deployment's."""
    found = TextMesh(MESH).evaluate(workload, ObjectKey(Kind.POD, "default", "reviews-v1-5d4c-abcde"))
    assert found
    assert (found.name, found.service_account, found.node_name) == ("reviews-v1", "sa-reviews", "node-a")
    assert found.ips == ("10.1.0.1", "fd00::1")
    assert found.container_ports == (("web", 9080),)
    assert found.locality == Locality("r1", "z1", "s1")
    assert found.ready
    assert found.pod


def test_a_workload_entry() -> None:
    """A WorkloadEntry gives its spec; labels of its metadata win over those of its spec."""
    found = TextMesh(MESH).evaluate(workload, ObjectKey(Kind.WORKLOAD_ENTRY, "default", "vm"))
    assert found
    assert dict(found.labels) == {"app": "reviews", "version": "v2"}
    assert (found.ips, found.ports, found.weight, found.locality) == (("10.2.0.1",), (("http", 8080),), 5, Locality("r2", "z2"))
    assert not found.pod


def test_a_deployment_stands_in_for_its_pods() -> None:
    """Where no pod has the name, a Deployment's template does: labels, account and ports, but no address."""
    found = TextMesh(MESH).evaluate(workload_named, "default", "ratings-v1")
    assert found
    assert dict(found.labels) == {"app": "ratings", "version": "v1"}
    assert (found.ips, found.service_account, found.container_ports) == ((), "sa-ratings", (("web", 9080),))


def test_names_that_nobody_has() -> None:
    """An unknown workload is None, not an error."""
    mesh = TextMesh(MESH)
    assert mesh.evaluate(workload_named, "default", "nobody") is None
    assert mesh.evaluate(workload_named, "other", "vm") is None


def test_workloads_come_as_pods_entries_deployments() -> None:
    """Pods come first, then WorkloadEntries, then Deployments."""
    mesh = TextMesh(MESH)
    assert [found.name for found in mesh.evaluate(workloads_of, "default")] == ["reviews-v1", "vm", "ratings-v1"]
    assert [found.name for found in mesh.evaluate(workloads_selected, "default", (("app", "reviews"),))] == ["reviews-v1", "vm"]
    assert mesh.evaluate(workloads_selected, "default", (("app", "reviews"), ("version", "v9"))) == ()
    assert len(mesh.evaluate(workloads_selected, "default", ())) == 3


def test_a_pod_by_its_address() -> None:
    """A pod is found by any of its addresses, within its namespace."""
    mesh = TextMesh(MESH)
    assert (found := mesh.evaluate(pod_at, "default", "fd00::1"))
    assert found.name == "reviews-v1"
    assert mesh.evaluate(pod_at, "other", "fd00::1") is None


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("topology.istio.io/locality: r5.z5.s5, istio-locality: r6.z6", Locality("r5", "z5", "s5")),
        ("istio-locality: r6.z6", Locality("r6", "z6")),
        ("app: x", Locality("r1", "z1", "s1")),
    ],
)
def test_a_label_overrides_the_locality_of_the_node(labels: str, expected: Locality) -> None:
    """The newer label wins over the older one, and either over the node; dots stand for slashes."""
    mesh = TextMesh(MESH.replace("version: v1, pod-template-hash: 5d4c", f"{labels}, pod-template-hash: 5d4c"))
    found = mesh.evaluate(workload, ObjectKey(Kind.POD, "default", "reviews-v1-5d4c-abcde"))
    assert found
    assert found.locality == expected


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("web-77-abcde", "pod-template-hash: '77'", "web"),
        ("odd-name", "pod-template-hash: '77'", "odd-name"),
        ("db-0", "statefulset.kubernetes.io/pod-name: db-0", "db"),
        ("agent-x7k2p", "controller-revision-hash: abc", "agent"),
        ("alone", "app: alone", "alone"),
    ],
)
def test_names_of_pods(name: str, labels: str, expected: str) -> None:
    """A pod is known by the name of what runs it, read off the labels of Kubernetes' controllers."""
    mesh = TextMesh(f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: default, labels: {{{labels}}}}}, spec: {{}}}}")
    found = mesh.evaluate(workload_named, "default", name)
    assert found
    assert found.name == expected


@pytest.mark.parametrize(("status", "ready"), [("'True'", True), ("'False'", False)])
def test_health_checked_entries_wait_for_their_condition(status: str, ready: bool) -> None:  # noqa: FBT001  (a column of the table)
    """A WorkloadEntry under health checks is ready once its condition says so; without checks it always is."""
    text = f"""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: vm, namespace: default, annotations: {{proxy.istio.io/health-checks-enabled: "true"}}}}
spec: {{address: 10.2.0.1}}
status: {{conditions: [{{type: Healthy, status: {status}}}]}}
"""
    mesh = TextMesh(text.replace(status, "Unknown"))
    assert (waiting := mesh.evaluate(workload_named, "default", "vm"))
    assert not waiting.ready
    mesh.add(text)
    assert (found := mesh.evaluate(workload_named, "default", "vm"))
    assert found.ready is ready
