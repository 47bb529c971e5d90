"""Steps do the work of a compilation in small pieces, and decide nothing."""

from __future__ import annotations

import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.steps import compile_steps, finding_steps
from meshctl_operator.model.proxies import Proxy, ProxyRole
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import BOOKINFO, VS_RATINGS, service, virtual_service

SIDECAR = Proxy(ProxyRole.SIDECAR, "a-1", "default", ("10.1.0.1",), freeze({"app": "a"}), dns_domain="default.svc.cluster.local")
GATEWAY = Proxy(
    ProxyRole.ROUTER,
    "gw-1",
    "istio-system",
    ("10.1.1.1",),
    freeze({"istio": "ingressgateway"}),
    dns_domain="istio-system.svc.cluster.local",
)
MANY = BOOKINFO + "".join(
    service(f"s{number}", f"10.0.1.{number}")
    + virtual_service(f"v{number}", f"{{hosts: [s{number}], http: [{{route: [{{destination: {{host: s{number}}}}}]}}]}}")
    for number in range(60)
)
PROXIES = pytest.mark.parametrize("proxy", [SIDECAR, GATEWAY], ids=["sidecar", "gateway"])


@PROXIES
def test_nothing_is_left_to_do(proxy: Proxy) -> None:
    """After the last step the proxy is served without a derivation running; the result is that of a compilation in one go."""
    mesh = TextMesh(BOOKINFO)
    assert list(compile_steps(mesh, proxy))
    mesh.take_statistics()
    stepwise = mesh.evaluate(compile_proxy, proxy)
    assert set(mesh.take_statistics().recomputed) <= {"compile_proxy"}
    assert stepwise == TextMesh(BOOKINFO).evaluate(compile_proxy, proxy)


@PROXIES
def test_steps_may_end_anywhere(proxy: Proxy) -> None:
    """A compilation that takes over after some of the steps gives the same."""
    expected = TextMesh(BOOKINFO).evaluate(compile_proxy, proxy)
    for taken in (0, 1, 7, 50, 200):
        mesh = TextMesh(BOOKINFO)
        for _, _ in zip(range(taken), compile_steps(mesh, proxy), strict=False):
            pass
        assert mesh.evaluate(compile_proxy, proxy) == expected


@PROXIES
def test_a_change_between_steps(proxy: Proxy) -> None:
    """What was done for an older revision does not show."""
    mesh = TextMesh(BOOKINFO)
    steps = compile_steps(mesh, proxy)
    for _ in range(20):
        next(steps)
    mesh.add(VS_RATINGS.replace("10s", "11s") + service("new", "10.0.0.77"))
    list(steps)
    changed = TextMesh(BOOKINFO)
    changed.add(VS_RATINGS.replace("10s", "11s") + service("new", "10.0.0.77"))
    assert mesh.evaluate(compile_proxy, proxy) == changed.evaluate(compile_proxy, proxy)


@PROXIES
def test_what_is_done_takes_no_step(proxy: Proxy) -> None:
    """Neither for a proxy that is compiled, nor for one of the same profile."""
    mesh = TextMesh(BOOKINFO)
    list(compile_steps(mesh, proxy))
    assert not list(compile_steps(mesh, proxy))
    mesh.add("{apiVersion: v1, kind: Service, metadata: {name: new, namespace: default}, spec: {ports: [{port: 99, name: tcp}]}}")
    assert list(compile_steps(mesh, proxy))


@PROXIES
def test_each_step_is_small(proxy: Proxy) -> None:
    """No step emits or plans more than a small part of a large mesh: work is counted, not timed."""
    mesh = TextMesh(MANY)
    mesh.take_statistics()
    heavy = {"plan_service_clusters", "plan_routes", "plan_virtual_host", "_service_clusters", "_sidecar_part", "services_of", "resolved"}
    sizes: list[int] = []
    for _ in compile_steps(mesh, proxy):
        ran = mesh.take_statistics().recomputed
        sizes.append(max((ran.get(name, 0) for name in heavy), default=0))
    assert sum(sizes) > 60
    assert max(sizes) <= 12


def test_findings_step_by_step() -> None:
    """The findings of the mesh are those of one go, with no VirtualService left to look at."""
    mesh = TextMesh(MANY + virtual_service("lost", "{hosts: [lost], http: [{route: [{destination: {host: nobody}}]}]}"))
    assert len(list(finding_steps(mesh))) > 60
    mesh.take_statistics()
    found = mesh.evaluate(mesh_findings)
    assert "virtual_service_findings" not in mesh.take_statistics().recomputed
    assert [each.subject.name for each in found] == ["lost"]
