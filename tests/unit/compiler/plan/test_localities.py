"""Tests of grouping and filtering endpoints."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, LbEndpointInput, LocalityInput
from meshctl_operator.compiler.plan.localities import by_locality, candidates, with_failover
from meshctl_operator.model.endpoints import Endpoint, Health
from meshctl_operator.model.proxies import Locality

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


def test_priorities_have_no_gaps() -> None:
    """Distances are numbered in order, whatever their values are."""
    one = (LbEndpointInput("10.0.0.1", 80),)
    found = with_failover((LocalityInput(one, "r1", "z1"), LocalityInput(one, "r9"), LocalityInput(one, "r1", "z2")), Locality("r1", "z1"))
    assert [each.priority for each in found] == [0, 2, 1]
    assert [each.priority for each in with_failover((LocalityInput(one, "r9"),), Locality("r1"))] == [0]
