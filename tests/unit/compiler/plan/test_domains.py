"""Domains of virtual hosts."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.domains import domain_name, host_domains, service_domains, unique_domains
from meshctl_operator.model.services import Resolution, Service, ServiceRegistry

CLUSTER = "default.svc.cluster.local"


def known(host: str, *addresses: str, headless: bool = False, aliases: tuple[str, ...] = ()) -> Service:
    """Return a service of that host."""
    resolution = Resolution.PASSTHROUGH if headless else Resolution.CLIENT_SIDE_LB
    source = ObjectKey("Service", "default", "a")
    return Service(host, "a", "default", ServiceRegistry.KUBERNETES, resolution, (), source, addresses=addresses, aliases=aliases)


@pytest.mark.parametrize(
    ("host", "dns_domain", "expected"),
    [
        ("a.default.svc.cluster.local", CLUSTER, ["a", "a.default.svc", "a.default"]),
        ("a.default.svc.cluster.local", "other.svc.cluster.local", ["a.default", "a.default.svc"]),
        ("a.default.svc.cluster.local", "default.svc.other.domain", []),
        ("api.example.com", CLUSTER, []),
        (".svc.cluster.local", CLUSTER, []),
        ("a.svc.cluster.local", CLUSTER, []),
        ("foo.ns.local.campus.net", "other.local.campus.net", ["foo.ns", "foo.ns.local"]),
        ("foo.local.campus.net", "remote.campus.net", ["foo.local", "foo.local.campus"]),
        ("a.b.c.campus.net", "remote.campus.net", ["a.b.c"]),
        ("foo.example.com", "remote.campus.net", []),
        ("foo.example.com", "", []),
    ],
)
def test_short_names(host: str, dns_domain: str, expected: list[str]) -> None:
    """Short names follow the DNS domain of the client: the bare name in the own namespace alone; elsewhere what is not shared."""
    assert list(service_domains(known(host), dns_domain, 0).names) == [host, f"{host}.", *expected]


def test_addresses_and_ports() -> None:
    """With a port each name and address has a variant with it; IPv6 addresses stand in brackets."""
    found = service_domains(known("a.default.svc.cluster.local", "10.0.0.1", "fd00::1"), "other.svc.cluster.local", 80)
    assert found.names[-4:] == ("10.0.0.1", "10.0.0.1:80", "[fd00::1]", "[fd00::1]:80")
    assert found.names[:4] == (
        "a.default.svc.cluster.local",
        "a.default.svc.cluster.local:80",
        "a.default.svc.cluster.local.",
        "a.default.svc.cluster.local.:80",
    )


def test_full_name_is_never_left_to_another() -> None:
    """A short name that comes out as the full name of the same service is no derived name, so the service keeps it."""
    found = service_domains(known("y.z.com"), "default.corp.com", 0)
    assert found.expanded == {"y.z.com.", "y.z"}
    assert unique_domains(found.names, found.expanded, frozenset({"y.z.com"}), set()) == ("y.z.com", "y.z.com.", "y.z")


def test_headless_service_has_its_pods() -> None:
    """Each name of a headless service stands for its pods as well."""
    names = service_domains(known("a.default.svc.cluster.local", headless=True), CLUSTER, 0).names
    assert names[5:] == ("*.a.default.svc.cluster.local", "*.a.default.svc.cluster.local.", "*.a", "*.a.default.svc", "*.a.default")


def test_aliases() -> None:
    """Aliases of a service are names of it."""
    assert (
        "old.default" in service_domains(known("a.default.svc.cluster.local", aliases=("old.default.svc.cluster.local",)), CLUSTER, 0).names
    )


def test_address_as_host_has_no_absolute_form() -> None:
    """A trailing dot belongs to names, not to addresses."""
    assert service_domains(known("10.1.1.1"), CLUSTER, 0).names == ("10.1.1.1",)


def test_plain_host() -> None:
    """A host that is no service is its own domain."""
    assert host_domains("x.example.com", 0) == ("x.example.com",)
    assert host_domains("::1", 80) == ("[::1]", "[::1]:80")
    assert domain_name("a:b", 80) == "a:b:80"


def test_unique_domains() -> None:
    """Taken names are left out in any case of letters; derived names give way to full names."""
    taken = {"a"}
    assert unique_domains(("A", "b", "B", "c"), frozenset({"c"}), frozenset({"c"}), taken) == ("b",)
    assert taken == {"a", "b"}
