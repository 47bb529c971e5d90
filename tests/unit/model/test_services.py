"""Tests of services: conversion, visibility, choice."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.services import (
    Protocol,
    Resolution,
    ServicePort,
    TrafficDistribution,
    service,
    service_diagnostics,
    services,
    services_of,
    visible_services,
)
from tests.support.mesh_text import TextMesh

REVIEWS = ObjectKey(Kind.SERVICE, "default", "reviews")


def kubernetes(name: str, namespace: str = "default", created: str = "2026-01-01T00:00:00Z", export: str = "", spec: str = "") -> str:
    """Return a Service with one HTTP port."""
    body = spec or "{clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}"
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}", annotations: {{networking.istio.io/exportTo: "{export}"}}}}
spec: {body}
"""


def entry(name: str, host: str, namespace: str = "default", created: str = "2026-01-01T00:00:00Z", extra: str = "") -> str:
    """Return a ServiceEntry with one HTTP port 80."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: "{created}"}}
spec: {{hosts: ["{host}"], ports: [{{number: 80, name: http, protocol: HTTP}}], resolution: STATIC {extra}}}
"""


def test_a_service_of_kubernetes() -> None:
    """Host, addresses, ports with their protocols and target ports, selector and locality policy come from the object."""
    mesh = TextMesh(
        kubernetes(
            "reviews",
            spec="""{clusterIP: 10.0.0.20, clusterIPs: [10.0.0.20, "fd00::1"], selector: {app: reviews}, internalTrafficPolicy: Local,
              ports: [{name: http, port: 9080, targetPort: web}, {name: tcp, port: 90, targetPort: 91}, {name: dns, port: 53, protocol: UDP}]}""",
        )
    )
    (found,) = mesh.evaluate(services_of, REVIEWS)
    assert (found.host, found.name, found.namespace) == ("reviews.default.svc.cluster.local", "reviews", "default")
    assert found.addresses == ("10.0.0.20", "fd00::1")
    assert found.selector == (("app", "reviews"),)
    assert found.node_local
    assert found.ports == (
        ServicePort(9080, "http", Protocol.HTTP, "web"),
        ServicePort(90, "tcp", Protocol.TCP, 91),
        ServicePort(53, "dns", Protocol.UDP),
    )


def test_a_headless_service_is_reached_at_its_pods() -> None:
    """ClusterIP None has no address, and connections pass through to the pod that was meant."""
    (found,) = TextMesh(kubernetes("reviews", spec="{clusterIP: None, ports: [{port: 1}]}")).evaluate(services_of, REVIEWS)
    assert (found.resolution, found.addresses, found.is_headless) == (Resolution.PASSTHROUGH, (), True)


def alias(name: str, target: str) -> str:
    """Return an ExternalName service."""
    return kubernetes(name, spec=f"{{type: ExternalName, externalName: {target}}}")


def test_external_name_is_an_alias() -> None:
    """An ExternalName service leads to the service at the end of its chain, which knows its other names."""
    mesh = TextMesh(alias("one", "two.default.svc.cluster.local") + alias("two", "a.example.com") + entry("a", "a.example.com"))
    found = mesh.evaluate(service, "default", "one.default.svc.cluster.local")
    assert found is not None
    assert (found.host, found.aliases) == ("a.example.com", ("one.default.svc.cluster.local", "two.default.svc.cluster.local"))
    assert [key.name for key in found.sources] == ["a", "one", "two"], "whoever shows the aliases comes from all of these"
    assert mesh.evaluate(service_diagnostics) == ()


def test_aliases_in_a_circle_lead_nowhere() -> None:
    """A chain of aliases without an end is no service."""
    mesh = TextMesh(alias("one", "two.default.svc.cluster.local") + alias("two", "one.default.svc.cluster.local"))
    assert mesh.evaluate(service, "default", "one.default.svc.cluster.local") is None


def test_an_alias_of_nothing_says_so() -> None:
    """An ExternalName service of an unknown host is an info, since its traffic passes as that to unknown hosts."""
    mesh = TextMesh(alias("reviews", "api.example.com"))
    (finding,) = mesh.evaluate(service_diagnostics)
    assert (finding.code, finding.subject, finding.path) == ("MC2301", REVIEWS, "spec.externalName")
    assert "api.example.com" in finding.message
    assert mesh.evaluate(service, "default", "reviews.default.svc.cluster.local") is None
    mesh.add(entry("a", "api.example.com"))
    found = mesh.evaluate(service, "default", "reviews.default.svc.cluster.local")
    assert found is not None
    assert found.host == "api.example.com"


@pytest.mark.parametrize(
    ("field", "annotation", "of_namespace", "expected"),
    [
        ("PreferClose", "", "", TrafficDistribution.SAME_ZONE),
        ("PreferSameZone", "PreferSameNode", "", TrafficDistribution.SAME_ZONE),
        ("", "PreferSameNode", "PreferClose", TrafficDistribution.SAME_NODE),
        ("", "", "preferclose", TrafficDistribution.SAME_ZONE),
        ("Whatever", "", "", TrafficDistribution.ANY),
    ],
)
def test_traffic_distribution(field: str, annotation: str, of_namespace: str, expected: TrafficDistribution) -> None:
    """The field of the service comes first, then its annotation, then that of the namespace."""
    key = "networking.istio.io/traffic-distribution"
    text = f"""
---
apiVersion: v1
kind: Service
metadata: {{name: reviews, namespace: default, annotations: {{{key}: "{annotation}"}}}}
spec: {{clusterIP: 10.0.0.1, trafficDistribution: "{field}", ports: [{{name: http, port: 80}}]}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: default, annotations: {{{key}: "{of_namespace}"}}}}
"""
    (found,) = TextMesh(text).evaluate(services_of, REVIEWS)
    assert found.distribution is expected


def test_a_service_entry_declares_one_service_per_host() -> None:
    """Each host is a service of its own; single-address ranges become addresses, and what is no address is dropped."""
    mesh = TextMesh(
        """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: default}
spec:
  hosts: [a.example.com, b.example.com, a.example.com]
  addresses: [10.0.0.1/32, 10.1.0.0/16, nonsense]
  ports: [{number: 443, name: tls, protocol: tls, targetPort: 8443}]
  resolution: NONE
"""
    )
    found = mesh.evaluate(services_of, ObjectKey(Kind.SERVICE_ENTRY, "default", "ext"))
    assert [each.host for each in found] == ["a.example.com", "b.example.com"]
    assert {each.addresses for each in found} == {("10.0.0.1", "10.1.0.0/16")}
    assert found[0].ports == (ServicePort(443, "tls", Protocol.TLS, 8443),)
    assert found[0].mesh_external
    assert not found[0].is_headless


def test_services_are_ordered_by_age_then_name_then_namespace() -> None:
    """The oldest comes first; names and namespaces break ties."""
    mesh = TextMesh(
        kubernetes("b", created="2026-01-02T00:00:00Z")
        + kubernetes("c", namespace="z")
        + kubernetes("c", namespace="a")
        + kubernetes("a", created="2026-01-03T00:00:00Z")
    )
    assert [(each.name, each.namespace) for each in mesh.evaluate(services)] == [
        ("c", "a"),
        ("c", "z"),
        ("b", "default"),
        ("a", "default"),
    ]


def test_a_service_of_a_service_entry_is_ordered_by_its_host() -> None:
    """The name of such a service is its host, whatever its ServiceEntry is called."""
    mesh = TextMesh(entry("a", "z.example.com") + entry("b", "c.example.com") + kubernetes("d"))
    assert [each.name for each in mesh.evaluate(services)] == ["c.example.com", "d", "z.example.com"]


@pytest.mark.parametrize(
    ("text", "code", "path"),
    [
        (
            entry("a", host, extra=extra).replace(
                "metadata: {", "metadata: {labels: {networking.istio.io/enable-autoallocate-ip: 'true'}, "
            ),
            "MC2306",
            "metadata.labels[networking.istio.io/enable-autoallocate-ip]",
        )
        for host, extra in (
            ("a.example.com", ", addresses: [10.0.0.1]"),
            ("*.example.com", ""),
            ("a.example.com", ", resolution: NONE"),
        )
    ],
    ids=["addresses", "wildcard", "no resolution"],
)
def test_what_is_not_compiled_of_a_service_is_said(text: str, code: str, path: str) -> None:
    """Automatic addresses are not ignored in silence."""
    assert [(found.code, found.path) for found in TextMesh(text).evaluate(service_diagnostics)] == [(code, path)]


@pytest.mark.parametrize(
    ("export", "namespace", "seen"),
    [
        ("", "other", True),
        ("*", "other", True),
        (".", "other", False),
        (".", "default", True),
        ("other", "other", True),
        ("other", "default", False),
        ("., other", "other", True),
        ("~", "default", False),
    ],
)
def test_visibility(export: str, namespace: str, seen: bool) -> None:  # noqa: FBT001  (a column of the table)
    """``exportTo`` decides which namespaces see a service; nothing declared means all of them."""
    mesh = TextMesh(kubernetes("reviews", export=export))
    assert bool(mesh.evaluate(visible_services, namespace)) is seen
    assert (mesh.evaluate(service, namespace, "reviews.default.svc.cluster.local") is not None) is seen


def test_the_mesh_can_make_services_private_by_default() -> None:
    """``defaultServiceExportTo`` holds for services that declare nothing."""
    mesh = TextMesh(kubernetes("reviews"), defaultServiceExportTo=["."])
    assert mesh.evaluate(visible_services, "other") == ()
    assert len(mesh.evaluate(visible_services, "default")) == 1


def test_services_exported_by_name_come_before_public_ones() -> None:
    """A service exported to the namespace comes first, even if a public one is older."""
    mesh = TextMesh(kubernetes("old") + kubernetes("young", export="default", created="2026-02-01T00:00:00Z"))
    assert [each.name for each in mesh.evaluate(visible_services, "default")] == ["young", "old"]


def test_of_one_host_the_own_namespace_wins_then_kubernetes_then_age() -> None:
    """Clients use the service of their own namespace, else that of Kubernetes, else the one they see first."""
    host = "a.k8s.svc.cluster.local"
    mesh = TextMesh(
        entry("first", host, namespace="old", created="2025-01-01T00:00:00Z")
        + entry("mine", host, namespace="mine")
        + kubernetes("a", namespace="k8s", created="2026-06-01T00:00:00Z")
    )
    chosen = {namespace: mesh.evaluate(service, namespace, host) for namespace in ("mine", "other", "old")}
    assert {namespace: found.namespace for namespace, found in chosen.items() if found} == {"mine": "mine", "other": "k8s", "old": "old"}


def test_services_that_differ_only_in_ports_are_taken_together() -> None:
    """Two ServiceEntries of one namespace for one host give one service with the ports of both; the older one's ports win."""
    second = entry("b", "a.example.com", created="2026-02-01T00:00:00Z").replace(
        "ports: [{number: 80, name: http, protocol: HTTP}]",
        "ports: [{number: 80, name: other, protocol: TCP}, {number: 443, name: tls, protocol: TLS}]",
    )
    found = TextMesh(entry("a", "a.example.com") + second).evaluate(service, "default", "a.example.com")
    assert found
    assert [(port.number, port.name) for port in found.ports] == [(80, "http"), (443, "tls")]


def test_a_service_that_appears_later_is_found() -> None:
    """A lookup that found nothing is remembered only until such a service exists."""
    mesh = TextMesh(kubernetes("other"))
    host = "reviews.default.svc.cluster.local"
    assert mesh.evaluate(service, "default", host) is None
    mesh.add(kubernetes("reviews"))
    assert mesh.evaluate(service, "default", host) is not None
    mesh.delete(Kind.SERVICE, "default", "reviews")
    assert mesh.evaluate(service, "default", host) is None


def test_automatic_addresses() -> None:
    """Addresses that a controller allocated belong to their host, unless there are declared ones or the label declines."""
    text = entry("a", "a.example.com") + "status: {addresses: [{value: 240.240.0.1, host: a.example.com}, {value: 240.240.0.2, host: b}]}\n"
    (found,) = TextMesh(text).evaluate(services)
    assert (found.addresses, found.automatic_addresses) == ((), ("240.240.0.1",))
    declined = text.replace("metadata: {", "metadata: {labels: {networking.istio.io/enable-autoallocate-ip: 'false'}, ")
    (found,) = TextMesh(declined).evaluate(services)
    assert found.automatic_addresses == ()
