"""Tests of automatic addresses."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.automatic_ranges import addresses_at, places
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import shard_of
from meshctl_operator.model.automatic_addresses import automatic_addresses
from tests.support.mesh_text import TextMesh


def entry(name: str, host: str, spec: str = "resolution: DNS", labels: str = "{}", status: str = "", created: int = 1) -> str:
    """Return a ServiceEntry with one TCP port."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default, labels: {labels}, creationTimestamp: "2026-01-{created:02}T00:00:00Z"}}
spec: {{hosts: ["{host}"], ports: [{{number: 80, name: tcp, protocol: TCP}}], {spec}}}
""" + (f"status: {{addresses: {status}}}\n" if status else "")


def addresses(mesh: TextMesh, name: str, host: str) -> tuple[str, ...]:
    """Return the automatic addresses of a host."""
    return mesh.evaluate(automatic_addresses, ObjectKey(Kind.SERVICE_ENTRY, "default", name), host)


def first_place(name: str, host: str) -> tuple[str, str]:
    """Return the addresses that a host gets where nobody is in the way."""
    return addresses_at(next(places(shard_of(host), f"default/{name}/{host}")))


def test_one_address_of_each_family() -> None:
    """A host without an address gets one of IPv4 and one of IPv6 out of the ranges that nobody routes."""
    four, six = addresses(TextMesh(entry("a", "a.example.com")), "a", "a.example.com")
    assert ip_address(four) in ip_network("240.240.0.0/16")
    assert ip_address(six) in ip_network("2001:2::/48")


@pytest.mark.parametrize(
    ("host", "spec", "labels", "given"),
    [
        ("a.example.com", "resolution: NONE", "{}", False),
        ("a.example.com", "resolution: STATIC", "{}", True),
        ("a.example.com", "resolution: DNS, addresses: [10.0.0.1]", "{}", False),
        ("a.example.com", "resolution: DNS", "{networking.istio.io/enable-autoallocate-ip: 'false'}", False),
        ("a.example.com", "resolution: DNS", "{networking.istio.io/enable-autoallocate-ip: 'true'}", True),
        ("*.example.com", "resolution: DNS", "{}", False),
        ("*.example.com", "resolution: DYNAMIC_DNS", "{}", True),
    ],
)
def test_who_gets_addresses(host: str, spec: str, labels: str, *, given: bool) -> None:
    """Hosts that have none and that are looked up: no resolution NONE, no wildcards but dynamic ones, nobody who declines."""
    assert bool(addresses(TextMesh(entry("a", host, spec, labels)), "a", host)) is given


def test_the_status_is_kept() -> None:
    """What was allocated once stays, for its host or for all of them."""
    mesh = TextMesh(entry("a", "a.example.com", status="[{value: 240.240.7.7, host: a.example.com}, {value: 240.240.7.8, host: b}]"))
    assert addresses(mesh, "a", "a.example.com") == ("240.240.7.7",)
    mesh.add(entry("a", "a.example.com", status="[{value: 240.240.7.9}]"))
    assert addresses(mesh, "a", "a.example.com") == ("240.240.7.9",)


def test_conflicts() -> None:
    """Who asks for an address in so many words has it, else the oldest whose status has it; the other one gets a new one."""
    status = "[{value: 240.240.7.7, host: a.example.com}]"
    mesh = TextMesh(entry("young", "a.example.com", status=status, created=2) + entry("old", "a.example.com", status=status))
    assert addresses(mesh, "old", "a.example.com") == ("240.240.7.7",)
    assert addresses(mesh, "young", "a.example.com") == first_place("young", "a.example.com")
    mesh.add(entry("user", "b.example.com", "resolution: STATIC, addresses: [240.240.7.7]", created=3))
    assert addresses(mesh, "old", "a.example.com") == first_place("old", "a.example.com")


def test_a_place_that_is_taken_is_passed_over() -> None:
    """Addresses that somebody declares are given to nobody else."""
    four, six = first_place("a", "a.example.com")
    taken = TextMesh(entry("a", "a.example.com") + entry("user", "b.example.com", f"resolution: STATIC, addresses: ['{six}']"))
    found = addresses(taken, "a", "a.example.com")
    assert len(found) == 2
    assert not {four, six} & set(found)


def test_allocation_is_the_same_in_any_order() -> None:
    """Hundreds of hosts get as many addresses, the same ones whatever order they come in, and after one goes the others keep theirs."""
    texts = [entry(f"e{number}", f"h{number}.example.com") for number in range(300)]
    one = TextMesh("".join(texts))
    found = {number: addresses(one, f"e{number}", f"h{number}.example.com") for number in range(300)}
    assert len({address for pair in found.values() for address in pair}) == 600
    texts = [*texts[1::2], *texts[::2]]
    other = TextMesh("".join(texts[:150]))
    other.add("".join(texts[150:]))
    assert {number: addresses(other, f"e{number}", f"h{number}.example.com") for number in range(300)} == found
    other.delete(Kind.SERVICE_ENTRY, "default", "e7")
    assert addresses(other, "e7", "h7.example.com") == ()
    assert all(addresses(other, f"e{number}", f"h{number}.example.com") == found[number] for number in range(100, 300))


def test_the_switch() -> None:
    """Istiod's switch turns allocation off; what is in the status stays."""
    mesh = TextMesh(
        entry("a", "a.example.com") + entry("b", "b.example.com", status="[{value: 240.240.7.7}]"),
        switches=(("PILOT_ENABLE_IP_AUTOALLOCATE", "false"),),
    )
    assert addresses(mesh, "a", "a.example.com") == ()
    assert addresses(mesh, "b", "b.example.com") == ("240.240.7.7",)
