"""Tests of grouping and filtering endpoints."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.labels import Labels, freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth
from meshctl_operator.compiler.plan.localities import _label_distance, arranged, by_locality, candidates
from meshctl_operator.model.endpoints import Endpoint, Health
from meshctl_operator.model.locality_policies import LocalityPolicy, ZoneAware
from meshctl_operator.model.proxies import Locality
from meshctl_operator.model.views import EndpointView

SOURCE = ObjectKey(Kind.ENDPOINT_SLICE, "default", "web-1")


def endpoint(address: str, **facts: object) -> Endpoint:
    """Return an endpoint."""
    return Endpoint(address, 80, "http", SOURCE, **facts)  # type: ignore[arg-type]  # whatever facts the test names


def test_groups_and_their_order() -> None:
    """Localities are sorted, and endpoints within them by address."""
    there = Locality("r1", "z2")
    found = by_locality(candidates([endpoint("10.0.0.3", locality=there), endpoint("10.0.0.2"), endpoint("10.0.0.1")], "c1"))
    assert [(each.region, [one.address for one in each.endpoints]) for each in found] == [
        ("", ["10.0.0.1", "10.0.0.2"]),
        ("r1", ["10.0.0.3"]),
    ]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "w;ns;w;;c1"),
        ({"app": "a", "version": "v1"}, "w;ns;a;v1;c1"),
        ({"app": "a", "app.kubernetes.io/name": "b", "app.kubernetes.io/version": "2"}, "w;ns;b;2;c1"),
        ({"service.istio.io/canonical-name": "c", "app": "a", "version": "latest"}, "w;ns;c;;c1"),
    ],
)
def test_telemetry_text(labels: dict[str, str], expected: str) -> None:
    """The most specific label names the canonical service and its revision; ``latest`` says nothing."""
    (found,) = by_locality(candidates([endpoint("10.0.0.1", workload="w", namespace="ns", labels=freeze(labels))], "c1"))
    assert found.endpoints[0].workload == expected


def test_endpoints_of_nobody_tell_nothing() -> None:
    """An endpoint without a workload has no telemetry text."""
    (found,) = by_locality(candidates([endpoint("10.0.0.1")], "c1"))
    assert found.endpoints[0].workload == ""


@pytest.mark.parametrize(
    ("health", "told"),
    [
        (Health.HEALTHY, EndpointHealth.HEALTHY),
        (Health.UNHEALTHY, EndpointHealth.UNHEALTHY),
        (Health.DRAINING, EndpointHealth.DRAINING),
        (Health.UNKNOWN, EndpointHealth.UNKNOWN),
        (Health.TERMINATING, EndpointHealth.UNHEALTHY),
    ],
)
def test_told_health(health: Health, told: EndpointHealth) -> None:
    """Envoy is told the health; a terminating endpoint that got here would be unhealthy."""
    (found,) = by_locality(candidates([endpoint("10.0.0.1", health=health)], "c1"))
    assert found.endpoints[0].health is told


def shares(policy: LocalityPolicy, *places: str, here: str = "r1/z1/s1", labels: Labels = ()) -> list[tuple[str, int, int | None, int]]:
    """Return (place, priority, weight, number of endpoints) of one endpoint per place, as seen from here."""
    found = [endpoint(f"10.0.0.{number}", locality=Locality.parse(place), labels=labels) for number, place in enumerate(places)]
    where = EndpointView(Locality.parse(here), labels=freeze({"version": "v1"}))
    return [
        (str(Locality(each.region, each.zone, each.sub_zone)), each.priority, each.weight, len(each.endpoints))
        for each in arranged(candidates(found, "c1"), policy, where)
    ]


def test_priorities_have_no_gaps() -> None:
    """Distances are numbered in order, whatever their values are."""
    policy = LocalityPolicy(fails_over=True)
    assert shares(policy, "r1/z1", "r9", "r1/z2") == [("r1/z1", 0, 1, 1), ("r1/z2", 1, 1, 1), ("r9", 2, 1, 1)]
    assert shares(policy, "r9") == [("r9", 0, 1, 1)]


def test_failover_prefers_a_region() -> None:
    """The region that the client's own fails over to comes before the others."""
    policy = LocalityPolicy(fails_over=True, failover=(("r1", "r3"), ("r2", "r4")))
    assert [(place, priority) for place, priority, _, _ in shares(policy, "r1/z1/s1", "r2", "r3")] == [
        ("r1/z1/s1", 0),
        ("r2", 2),
        ("r3", 1),
    ]


def test_without_failover_there_are_no_priorities() -> None:
    """Nothing is told of localities where nobody would notice that one is down."""
    assert [priority for _, priority, _, _ in shares(LocalityPolicy(failover=(("r1", "r2"),)), "r1", "r2")] == [0, 0]


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ("r1/z1/s1", [("r1/z1/s1", 0, 36, 1), ("r1/z2", 0, 36, 1), ("r2", 0, 29, 1), ("r3", 0, 1, 0)]),
        ("r2", [("r1/z1/s1", 0, 1, 0), ("r1/z2", 0, 1, 0), ("r2", 0, 100, 1), ("r3", 0, 1, 0)]),
        ("r3", [("r1/z1/s1", 0, 1, 1), ("r1/z2", 0, 1, 1), ("r2", 0, 1, 1), ("r3", 0, 1, 1)]),
    ],
)
def test_distribute(here: str, expected: list[tuple[str, int, int | None, int]]) -> None:
    """Localities under one pattern split its share, rounded up; one without a share loses its endpoints; elsewhere nothing changes."""
    policy = LocalityPolicy(distribute=(("r1/*", (("r1/*", 71), ("r2", 29))), ("r2/*", (("r2/*", 100),))), fails_over=True)
    assert shares(policy, "r1/z1/s1", "r1/z2", "r2", "r3", here=here) == expected


@pytest.mark.parametrize(
    ("entries", "labels", "priority"),
    [
        (("version", "topology.kubernetes.io/region"), {"version": "v1", "topology.kubernetes.io/region": ""}, 0),
        (("version", "topology.kubernetes.io/region"), {"version": "v1", "topology.kubernetes.io/region": "x"}, 1),
        (("version", "topology.kubernetes.io/region"), {"version": "v2"}, 2),
        (("version=v2",), {"version": "v2"}, 0),
        (("topology.istio.io/network", "version"), {"topology.istio.io/network": "n2", "version": "v1"}, 2),
        (("topology.istio.io/network", "version"), {"topology.istio.io/network": "n2"}, 3),
        (("topology.istio.io/cluster", "version"), {"version": "v1"}, 0),
    ],
)
def test_failover_by_labels(entries: tuple[str, ...], labels: dict[str, str], priority: int) -> None:
    """The earlier a label differs from the client's, the later the endpoint is used; another network comes after everything else."""
    every = [{"version": "v1"}, {"version": "v2"}, labels]
    found = [endpoint(f"10.0.0.{number}", labels=freeze(each)) for number, each in enumerate(every)]
    assert (
        _label_distance(dict(candidates(found, "c1")[2].labels), entries, {"version": "v1", "topology.istio.io/cluster": "c1"}) == priority
    )


def test_failover_by_labels_splits_a_locality() -> None:
    """Endpoints of one locality may get several priorities; those by locality stand below each."""
    found = [endpoint("10.0.0.1", labels=freeze({"version": "v2"})), endpoint("10.0.0.2", labels=freeze({"version": "v1"}))]
    where = EndpointView(Locality("r1"), labels=freeze({"version": "v1"}))
    policy = LocalityPolicy(fails_over=True, failover_priority=("version",))
    split = arranged(candidates(found, "c1"), policy, where)
    assert [(each.priority, each.endpoints[0].address) for each in split] == [(0, "10.0.0.2"), (1, "10.0.0.1")]


def test_zone_aware_priorities_are_by_region() -> None:
    """Within a region Envoy decides; the region that is failed over to comes before the rest."""
    policy = LocalityPolicy(fails_over=True, failover=(("r1", "r3"),), zone_aware=ZoneAware())
    assert [(place, priority) for place, priority, _, _ in shares(policy, "r1/z1", "r1/z2", "r2", "r3")] == [
        ("r1/z1", 0),
        ("r1/z2", 0),
        ("r2", 2),
        ("r3", 1),
    ]
