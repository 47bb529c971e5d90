"""What one change may cost the compiler: ratios and counts within one run, which hold on any machine.

Times are CPU times of this thread, the least of several tries, since work beside it can only lengthen them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from tests.bench.compiling import Bench, Cost, Shape
from tests.support.load.mesh import RawObject

pytestmark = pytest.mark.timeout(300)

SERVICES = 300
FEW = 60
MANY = 1000
TRIES = 7
ONE_CHANGE = 1 / 50
ONE_OF_A_HOST = 1 / 8
FURTHER_VIEW = 1 / 8
"""One namespace of twenty sees another VirtualService: such a view shares 95 % with the others."""
MOST_NODES = 25
OF_OTHER_TYPES = ("cluster", "listener", "route", "virtual_host", "chain", "destination_rule")


class Measured:
    """A mesh whose first view is compiled, and what that took."""

    def __init__(self, shape: Shape, size: int, tries: int) -> None:
        """Compile cold ``tries`` times."""
        self.bench = Bench(shape, size)
        self.cold = min(self.bench.cold()["cold"].seconds for _ in range(tries))
        self._numbers = count(1)  # no object is ever changed to what it is already

    def change(self, changed: Callable[[int], RawObject]) -> Cost:
        """Return the least that a change cost, of several; ``changed`` gives the object of each."""
        return min((self.bench.change(changed(next(self._numbers))) for _ in range(TRIES)), key=lambda cost: cost.seconds)


@pytest.fixture(scope="module")
def sidecar() -> Measured:
    """Return a sidecar among many services."""
    return Measured(Shape.SIDECAR, SERVICES, 3)


def endpoint(measured: Measured) -> Callable[[int], RawObject]:
    """Give an endpoint another address."""
    mesh = measured.bench.mesh
    return lambda number: mesh.service_entry(mesh.public(number), {3: f"10.250.{number}.1"})


def weight(measured: Measured) -> Callable[[int], RawObject]:
    """Give a route other weights."""
    mesh = measured.bench.mesh
    return lambda number: mesh.virtual_service(mesh.public(number), 30 + number)


def subset(measured: Measured) -> Callable[[int], RawObject]:
    """Add a subset."""
    mesh = measured.bench.mesh
    return lambda number: mesh.destination_rule(mesh.public(number), f"more{number}")


def annotation(measured: Measured) -> Callable[[int], RawObject]:
    """Change what configures nothing."""
    mesh = measured.bench.mesh
    return lambda number: mesh.virtual_service(mesh.public(20), note=str(number))


CHANGES = (endpoint, weight, subset)


@pytest.mark.parametrize("changed", CHANGES)
def test_one_object_costs_a_fiftieth(sidecar: Measured, changed: Callable[[Measured], Callable[[int], RawObject]]) -> None:
    """An object that one host depends on costs at most 1/50 of a full compile."""
    cost = sidecar.change(changed(sidecar))
    assert cost.seconds <= sidecar.cold * ONE_CHANGE, _shown(cost, sidecar.cold)


def test_one_route_of_a_gateway_costs_a_fiftieth() -> None:
    """The same for a gateway where each VirtualService has a host of its own."""
    measured = Measured(Shape.GATEWAY_HOSTS, SERVICES, 3)
    cost = measured.change(lambda number: measured.bench.route(number, 30 + number))
    assert cost.seconds <= measured.cold * ONE_CHANGE, _shown(cost, measured.cold)


def test_one_route_of_a_shared_host_costs_an_eighth() -> None:
    """Where all VirtualServices share one host, its virtual host is joined anew, but the other routes are not."""
    measured = Measured(Shape.GATEWAY_SHARED, SERVICES, 3)
    cost = measured.change(lambda number: measured.bench.route(number, 20 + number))
    assert cost.seconds <= measured.cold * ONE_OF_A_HOST, _shown(cost, measured.cold)


@pytest.mark.parametrize(("shape", "most"), [(Shape.GATEWAY_HOSTS_TEN, ONE_CHANGE), (Shape.GATEWAY_SHARED_TEN, ONE_OF_A_HOST)])
def test_ten_thousand_routes_of_a_gateway(shape: Shape, most: float) -> None:
    """Of a thousand VirtualServices with ten rules each, a changed one costs the same fractions of compiling them all."""
    measured = Measured(shape, MANY, 1)
    cost = measured.change(lambda number: measured.bench.route(number, 20 + number))
    assert cost.seconds <= measured.cold * most, _shown(cost, measured.cold)


def test_an_endpoint_recomputes_endpoints_only(sidecar: Measured) -> None:
    """No cluster, listener or route is looked at for an address."""
    recomputed = sidecar.change(endpoint(sidecar)).recomputed
    others = {name: count for name, count in recomputed.items() if any(part in name for part in OF_OTHER_TYPES) and "endpoint" not in name}
    assert recomputed
    assert not others


@pytest.mark.parametrize("changed", [*CHANGES, annotation])
def test_recomputed_nodes_do_not_grow_with_the_mesh(sidecar: Measured, changed: Callable[[Measured], Callable[[int], RawObject]]) -> None:
    """A mesh five times as large recomputes the same nodes for one object, and few of them."""
    small = Measured(Shape.SIDECAR, FEW, 1)
    of_few, of_many = small.change(changed(small)), sidecar.change(changed(sidecar))
    assert of_many.recomputed == of_few.recomputed
    assert 0 < of_many.nodes <= MOST_NODES, _shown(of_many, sidecar.cold)


def test_a_second_proxy_of_a_view_costs_nothing(sidecar: Measured) -> None:
    """What a proxy sees is compiled once for all that see the same."""
    cost = min((sidecar.bench.serve(sidecar.bench.proxy(number=number)) for number in range(10, 14)), key=lambda cost: cost.seconds)
    assert cost.seconds <= sidecar.cold * ONE_CHANGE, _shown(cost, sidecar.cold)


def test_a_further_view_shares_what_it_sees_alike() -> None:
    """A view that differs in one object of twenty costs a fraction of the first."""
    measured = Measured(Shape.SIDECAR, SERVICES, 3)
    views = (measured.bench.serve(measured.bench.proxy(f"team-{number}")) for number in range(2, 6))
    cost = min(views, key=lambda cost: cost.seconds)
    assert cost.seconds <= measured.cold * FURTHER_VIEW, _shown(cost, measured.cold)


def _shown(cost: Cost, cold: float) -> str:
    return f"{cost.seconds * 1000:.2f} ms are 1/{cold / cost.seconds:.0f} of {cold * 1000:.0f} ms; recomputed {cost.recomputed}"
