"""Tests of scopes: what a Sidecar object lets a proxy import."""

from __future__ import annotations

import pytest

from meshctl_operator.base.labels import Labels
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.scopes import (
    EVERYTHING,
    EgressHosts,
    OutboundMode,
    scope,
    scope_service,
    sidecar_diagnostics,
    sidecar_for,
)
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh


def kubernetes(name: str, namespace: str, ports: str = "[{name: http, port: 80}]") -> str:
    """Return a Service."""
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{clusterIP: 10.0.0.1, ports: {ports}}}\n"


def sidecar(spec: str, name: str = "sc", namespace: str = "own", age: int = 1) -> str:
    """Return a Sidecar; ``age`` 9 is older than 1."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "2026-01-{20 - age:02}T00:00:00Z"}}
spec: {{{spec}}}
"""


SERVICES = kubernetes("a", "own") + kubernetes("b", "own") + kubernetes("c", "other") + kubernetes("d", "third")


def view(mesh: TextMesh, labels: Labels = (), role: ProxyRole = ProxyRole.SIDECAR) -> OutboundView:
    """Return the view of a proxy in namespace own."""
    key = mesh.evaluate(sidecar_for, "own", labels) if role is ProxyRole.SIDECAR else None
    return OutboundView(role, "own", "own.svc.cluster.local", sidecar=key)


def imported(text: str, labels: Labels = ()) -> list[str]:
    """Return the imported services as name.namespace."""
    mesh = TextMesh(SERVICES + text)
    return sorted(f"{found.name}.{found.namespace}" for found in mesh.evaluate(scope, view(mesh, labels)).services)


def test_without_a_sidecar_everything_visible_is_imported() -> None:
    """No Sidecar means all that the namespace may see, and unknown traffic passes."""
    mesh = TextMesh(SERVICES)
    found = mesh.evaluate(scope, view(mesh))
    assert [each.name for each in found.services] == ["a", "b", "c", "d"]
    assert (found.outbound_mode, found.sidecar, found.hosts) == (OutboundMode.ALLOW_ANY, None, EVERYTHING)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("['./*']", ["a.own", "b.own"]),
        ("['*/*']", ["a.own", "b.own", "c.other", "d.third"]),
        ("['./*', other/c.other.svc.cluster.local]", ["a.own", "b.own", "c.other"]),
        ("['*/c.other.svc.cluster.local']", ["c.other"]),
        ("['own/*.other.svc.cluster.local']", []),
        ("['*/*.other.svc.cluster.local']", ["c.other"]),
        ("['~/*']", []),
        ("['*/*', '~other/*']", ["a.own", "b.own", "d.third"]),
        ("['*/*', '~./a.own.svc.cluster.local']", ["b.own", "c.other", "d.third"]),
        ("['*/*', '~/*.other.svc.cluster.local']", ["a.own", "b.own", "d.third"]),
        ("['other/d.third.svc.cluster.local']", []),
    ],
)
def test_egress_hosts(hosts: str, expected: list[str]) -> None:
    """``namespace/host`` imports, a leading ``~`` excludes; ``.`` is the proxy's own namespace."""
    assert imported(sidecar(f"egress: [{{hosts: {hosts}}}]")) == expected


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("{number: 81, protocol: HTTP, name: x}", {"a.own": (80,), "b.own": (80,), "e.other": (81,)}),
        ("{number: 9000, protocol: HTTP, name: x}", {"a.own": (80,), "b.own": (80,)}),
        ("{number: 9000, protocol: HTTP_PROXY, name: x}", {"a.own": (80,), "b.own": (80,), "c.other": (80,), "e.other": (80, 81)}),
    ],
    ids=["port", "unknown-port", "http-proxy"],
)
def test_egress_with_a_port(port: str, expected: dict[str, tuple[int, ...]]) -> None:
    """An entry with a port imports that port of its services; as a proxy for HTTP it imports all of them."""
    mesh = TextMesh(
        SERVICES
        + kubernetes("e", "other", "[{name: http, port: 80}, {name: http-b, port: 81}]")
        + sidecar(f"egress: [{{port: {port}, hosts: ['other/*']}}, {{hosts: ['./*']}}]")
    )
    found = mesh.evaluate(scope, view(mesh)).services
    assert {f"{each.name}.{each.namespace}": tuple(port.number for port in each.ports) for each in found} == expected


def test_several_entries_complete_a_service() -> None:
    """Ports of one service that several entries import are taken together."""
    mesh = TextMesh(
        kubernetes("e", "other", "[{name: http, port: 80}, {name: http-b, port: 81}, {name: http-c, port: 82}]")
        + sidecar("egress: [{port: {number: 81}, hosts: ['other/*']}, {port: {number: 80}, hosts: ['other/*']}]")
    )
    (found,) = mesh.evaluate(scope, view(mesh)).services
    assert [port.number for port in found.ports] == [81, 80]


def test_a_sidecar_without_egress_imports_everything() -> None:
    """Only an ``egress`` limits."""
    assert len(imported(sidecar("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))) == 4


ROUTED = """
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: own}
spec:
  hosts: [a]
  http:
  - match: [{sourceNamespace: elsewhere}]
    route: [{destination: {host: d.third.svc.cluster.local}}]
  - route: [{destination: {host: c.other.svc.cluster.local, port: {number: 80}}}]
    mirror: {host: b}
"""


def test_destinations_of_imported_virtual_services_are_imported() -> None:
    """What an imported VirtualService routes to comes along, on the ports that it names; rules for other namespaces bring nothing."""
    ports = kubernetes("c", "other", "[{name: http, port: 80}, {name: admin, port: 90}]")
    mesh = TextMesh(SERVICES + ports + ROUTED + sidecar("egress: [{hosts: [./a.own.svc.cluster.local]}]"))
    found = mesh.evaluate(scope, view(mesh)).services
    assert {each.name: [port.number for port in each.ports] for each in found} == {"a": [80], "c": [80], "b": [80]}


def test_virtual_services_that_are_not_imported_bring_nothing() -> None:
    """A VirtualService outside the egress hosts is not followed."""
    assert imported(ROUTED + sidecar("egress: [{hosts: ['third/*']}]")) == ["d.third"]


def test_scope_service_sees_what_the_scope_imports() -> None:
    """Asking for one host answers as the whole scope does."""
    mesh = TextMesh(SERVICES + sidecar("egress: [{hosts: ['./*']}]"))
    limited = view(mesh)
    gateway = view(mesh, role=ProxyRole.ROUTER)
    assert mesh.evaluate(scope_service, limited, "a.own.svc.cluster.local") is not None
    assert mesh.evaluate(scope_service, limited, "c.other.svc.cluster.local") is None
    assert mesh.evaluate(scope_service, gateway, "c.other.svc.cluster.local") is not None
    assert mesh.evaluate(scope_service, gateway, "nobody") is None


@pytest.mark.parametrize(
    ("spec", "mesh_mode", "expected"),
    [
        ("egress: [{hosts: ['*/*']}]", "ALLOW_ANY", OutboundMode.ALLOW_ANY),
        ("egress: [{hosts: ['*/*']}]", "REGISTRY_ONLY", OutboundMode.REGISTRY_ONLY),
        ("outboundTrafficPolicy: {mode: ALLOW_ANY}", "REGISTRY_ONLY", OutboundMode.ALLOW_ANY),
        ("outboundTrafficPolicy: {}", "ALLOW_ANY", OutboundMode.REGISTRY_ONLY),
    ],
)
def test_outbound_mode(spec: str, mesh_mode: str, expected: OutboundMode) -> None:
    """The Sidecar decides if it says anything (an empty block means REGISTRY_ONLY), else the mesh; gateways let everything pass."""
    mesh = TextMesh(SERVICES + sidecar(spec), outboundTrafficPolicy={"mode": mesh_mode})
    assert mesh.evaluate(scope, view(mesh)).outbound_mode is expected
    assert mesh.evaluate(scope, view(mesh, role=ProxyRole.ROUTER)).outbound_mode is OutboundMode.ALLOW_ANY


WEB: Labels = (("app", "web"),)
SELECTS = "workloadSelector: {labels: {app: web}}, egress: [{hosts: ['*/*']}]"
PLAIN = "egress: [{hosts: ['*/*']}]"


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        pytest.param(sidecar(PLAIN, "p", age=9) + sidecar(SELECTS, "s"), WEB, "own/s", id="selector-beats-age"),
        pytest.param(sidecar(SELECTS, "young") + sidecar(SELECTS, "old", age=9), WEB, "own/old", id="oldest-selector"),
        pytest.param(sidecar(PLAIN, "young") + sidecar(PLAIN, "old", age=9), (), "own/old", id="oldest-plain"),
        pytest.param(sidecar(SELECTS, "s") + sidecar(PLAIN, "p", "istio-system"), (), "istio-system/p", id="root-if-none-matches"),
        pytest.param(sidecar(PLAIN, "p") + sidecar(PLAIN, "r", "istio-system", 9), WEB, "own/p", id="own-beats-root"),
        pytest.param(sidecar(SELECTS, "s", "istio-system"), WEB, None, id="root-with-selector-is-only-for-the-root"),
        pytest.param(sidecar(PLAIN, "p", "other"), WEB, None, id="other-namespaces-do-not-count"),
    ],
)
def test_which_sidecar_holds(text: str, labels: Labels, expected: str | None) -> None:
    """Of the own namespace first a matching selector, then none; then the root namespace's without selector."""
    found = TextMesh(text).evaluate(sidecar_for, "own", labels)
    assert (f"{found.namespace}/{found.name}" if found else None) == expected


def test_the_root_sidecar_speaks_of_the_proxy_s_namespace() -> None:
    """``.`` in a Sidecar of the root namespace is the namespace of the proxy."""
    assert imported(sidecar("egress: [{hosts: ['./*']}]", namespace="istio-system")) == ["a.own", "b.own"]


def test_sidecars_that_are_never_used_are_told() -> None:
    """A Sidecar with the same selector as an older one gets a warning, as does a second one without any."""
    mesh = TextMesh(sidecar(SELECTS, "s2") + sidecar(SELECTS, "s1", age=9) + sidecar(PLAIN, "p2") + sidecar(PLAIN, "p1", age=9))
    found = mesh.evaluate(sidecar_diagnostics, "own")
    assert [(finding.subject.name, finding.code) for finding in found] == [("p2", "MC2320"), ("s2", "MC2320")]


@pytest.mark.parametrize(
    ("listener", "namespace", "hosts", "expected"),
    [
        (EgressHosts((("*", "*"),)), "x", ("a.com",), True),
        (EgressHosts((("x", "a.com"),)), "x", ("*.com",), True),
        (EgressHosts((("x", "*.com"),)), "x", ("b.org", "a.com"), True),
        (EgressHosts((("y", "*"),)), "x", ("a.com",), False),
        (EgressHosts((("*", "*"),), (("x", "*"),)), "x", ("a.com",), False),
        (EgressHosts((("*", "*"),), (("x", "a.com"),)), "x", ("a.com", "b.com"), True),
        (EgressHosts(()), "x", ("a.com",), False),
    ],
)
def test_virtual_services_are_imported_by_overlap(
    listener: EgressHosts,
    namespace: str,
    hosts: tuple[str, ...],
    expected: bool,  # noqa: FBT001  (a column of the table)
) -> None:
    """A VirtualService is imported when one of its hosts overlaps a pattern in either direction and is not excluded."""
    assert listener.imports_virtual_service(namespace, hosts) is expected
