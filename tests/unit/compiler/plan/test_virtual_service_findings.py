"""Findings about a VirtualService against the rest of the mesh."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.virtual_service_findings import mesh_owners, virtual_service_findings
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import SERVICES, gateway, service, virtual_service

KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "vs")
ROUTE = "http: [{route: [{destination: {host: reviews}}]}]"
TWO_PORTS = service("shop", "10.0.0.1", 80, 9080)


def findings(text: str, key: ObjectKey = KEY) -> tuple[Diagnostic, ...]:
    """Return the findings about a VirtualService of a mesh."""
    return TextMesh(text).evaluate(virtual_service_findings, key)


def of_destination(destination: str, more: str = SERVICES) -> Diagnostic | None:
    """Return the finding about a destination (YAML flow style), None for none."""
    found = findings(more + virtual_service("vs", f"{{hosts: [x.example.com], http: [{{route: [{{destination: {destination}}}]}}]}}"))
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("destination", "code", "istio", "path", "hint"),
    [
        ("{host: reviewz}", "MC2201", "IST0101", ".host", 'did you mean "reviews"?'),
        ("{host: reviews.default.svc.cluster.lokal}", "MC2201", "IST0101", ".host", None),
        ("{host: nothing.like.it}", "MC2201", "IST0101", ".host", None),
        ("{host: reviews, subset: zz}", "MC2202", "IST0101", ".subset", "its subsets are v1, v2, v3"),
        ("{host: reviews, port: {number: 80}}", "MC2203", "IST0101", ".port.number", "its ports are 9080"),
        ("{host: shop}", "MC2204", "IST0112", "", "add port.number, one of 80, 9080"),
        ("{host: shop, subset: v1}", "MC2202", "IST0101", ".subset", "no subset is defined"),
    ],
)
def test_destination(destination: str, code: str, istio: str, path: str, hint: str | None) -> None:
    """A destination that leads nowhere gets a warning with Istio's code and the way out."""
    found = of_destination(destination, SERVICES + TWO_PORTS)
    assert found is not None
    assert (found.code, found.istio_code, found.path) == (code, istio, f"spec.http[0].route[0].destination{path}")
    assert found.severity is Severity.WARNING
    if hint is not None:
        assert found.hint == hint


@pytest.mark.parametrize(
    "destination", ["{host: reviews}", "{host: reviews, subset: v1, port: {number: 9080}}", "{host: shop, port: {number: 80}}"]
)
def test_good_destination(destination: str) -> None:
    """A destination that exists gives no finding."""
    assert of_destination(destination, SERVICES + TWO_PORTS) is None


def test_message_shows_what_the_user_wrote() -> None:
    """The message names the short host and the namespace it was looked up in."""
    found = of_destination("{host: reviewz}")
    assert found is not None
    assert found.message == '"reviewz" matches no service visible from namespace default; requests are answered 503'


def test_every_kind_of_destination_is_looked_at() -> None:
    """Mirrors and destinations of TCP and TLS routes are checked as well."""
    text = virtual_service(
        "vs",
        """
  hosts: [x.example.com]
  http: [{route: [{destination: {host: reviews}}], mirror: {host: m1}, mirrors: [{destination: {host: m2}}]}]
  tcp: [{route: [{destination: {host: t1}}]}]
  tls: [{match: [{sniHosts: [x.example.com]}], route: [{destination: {host: t2}}]}]
""",
    )
    assert [found.path for found in findings(SERVICES + text)] == [
        "spec.http[0].mirror.host",
        "spec.http[0].mirrors[0].destination.host",
        "spec.tcp[0].route[0].destination.host",
        "spec.tls[0].route[0].destination.host",
    ]


def test_destination_of_a_delegate_is_reported_there() -> None:
    """The finding is about the object that names the destination, looked up from its namespace."""
    text = virtual_service("vs", "{hosts: [x.example.com], http: [{delegate: {name: leaf, namespace: team}}]}") + virtual_service(
        "leaf", "{http: [{route: [{destination: {host: nope}}]}]}", namespace="team"
    )
    (found,) = findings(text)
    assert (found.subject.name, found.path) == ("leaf", "spec.http[0].route[0].destination.host")
    assert "namespace team" in found.message


def test_host_taken_by_an_older_virtual_service() -> None:
    """Of two VirtualServices of the mesh with one host the younger is told."""
    older = virtual_service("older", f"{{hosts: [reviews.default.svc.cluster.local], {ROUTE}}}", created="2020-01-01T00:00:00Z")
    (found,) = findings(SERVICES + older + virtual_service("vs", f"{{hosts: [Reviews.default.svc.cluster.local], {ROUTE}}}"))
    assert (found.code, found.istio_code, found.path) == ("MC2207", "IST0109", "spec.hosts[0]")
    assert "default/older" in found.message
    assert findings(SERVICES + older, ObjectKey(Kind.VIRTUAL_SERVICE, "default", "older")) == ()


def test_host_of_the_own_namespace() -> None:
    """Clients go by what their own namespace exports to them, even where another namespace's is older."""
    older = virtual_service(
        "older",
        f"{{hosts: [reviews.default.svc.cluster.local], exportTo: [default], {ROUTE}}}",
        namespace="team",
        created="2020-01-01T00:00:00Z",
    )
    text = SERVICES + older + virtual_service("vs", f'{{hosts: [reviews], exportTo: ["."], {ROUTE}}}')
    assert "MC2207" not in [found.code for found in findings(text)]
    (found,) = [found for found in findings(text, ObjectKey(Kind.VIRTUAL_SERVICE, "team", "older")) if found.code == "MC2207"]
    assert "belongs to the VirtualService default/vs" in found.message


@pytest.mark.parametrize("audience", ['exportTo: ["."]', 'exportTo: ["other"]', 'exportTo: ["~"]'])
def test_other_audience_is_no_conflict(audience: str) -> None:
    """A VirtualService for other namespaces, or a private one, does not take a host from a public one."""
    older = virtual_service("older", f"{{hosts: [reviews], {audience}, {ROUTE}}}", created="2020-01-01T00:00:00Z")
    assert findings(SERVICES + older + virtual_service("vs", f"{{hosts: [reviews], {ROUTE}}}")) == ()


def test_gateways_do_not_conflict_with_the_mesh() -> None:
    """At gateways VirtualServices of one host are merged."""
    bound = gateway('{servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ["*"]}]}', "gw")
    older = virtual_service("older", f"{{hosts: [a.com], gateways: [gw], {ROUTE}}}", created="2020-01-01T00:00:00Z")
    younger = "{hosts: [a.com], gateways: [gw], http: [{match: [{uri: {prefix: /x}}], route: [{destination: {host: reviews}}]}]}"
    assert findings(SERVICES + bound + older + virtual_service("vs", younger)) == ()


def test_tcp_rules_of_several_are_all_tried() -> None:
    """A host that another VirtualService has only TCP rules for is lost to nobody, and nobody loses TCP rules by it."""
    older = virtual_service("older", "{hosts: [reviews], tcp: [{route: [{destination: {host: reviews}}]}]}", created="2020-01-01T00:00:00Z")
    assert findings(SERVICES + older + virtual_service("vs", f"{{hosts: [reviews], {ROUTE}}}")) == ()
    http = virtual_service("older", f"{{hosts: [reviews], {ROUTE}}}", created="2020-01-01T00:00:00Z")
    assert findings(SERVICES + http + virtual_service("vs", "{hosts: [reviews], tcp: [{route: [{destination: {host: reviews}}]}]}")) == ()


def test_unknown_gateway() -> None:
    """A gateway that does not exist is named."""
    (found,) = findings(SERVICES + virtual_service("vs", f"{{hosts: [a.com], gateways: [mesh, ns/nope], {ROUTE}}}"))
    assert (found.code, found.path) == ("MC2205", "spec.gateways[1]")
    assert '"ns/nope"' in found.message


def test_host_that_no_gateway_serves() -> None:
    """A host outside of the gateways' hosts is named; hosts of a server for other namespaces do not count."""
    bound = gateway('{servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ["*.shop.com", "other/*"]}]}', "gw")
    (found,) = findings(SERVICES + bound + virtual_service("vs", f"{{hosts: [a.shop.com, b.com], gateways: [gw], {ROUTE}}}"))
    assert (found.code, found.istio_code, found.path) == ("MC2206", "IST0132", "spec.hosts[1]")
    assert findings(SERVICES + bound + virtual_service("vs", f"{{hosts: [b.com], gateways: [gw, mesh], {ROUTE}}}")) == ()


def test_findings_heal() -> None:
    """A service that appears takes the finding away."""
    mesh = TextMesh(virtual_service("vs", f"{{hosts: [a.com], {ROUTE}}}"))
    assert len(mesh.evaluate(virtual_service_findings, KEY)) == 1
    mesh.add(service("reviews", "10.0.0.1"))
    assert mesh.evaluate(virtual_service_findings, KEY) == ()


def test_absent_virtual_service() -> None:
    """Nothing is found about nothing."""
    assert findings("") == ()
    assert TextMesh("").evaluate(mesh_owners, "a") == ()
