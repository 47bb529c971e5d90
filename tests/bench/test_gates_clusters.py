"""What services with pods may cost a sidecar: counts, bytes and ratios within one run, which hold on any machine."""

from __future__ import annotations

import pytest

from tests.bench.clustering import IMPORTED, NARROW, WIDE, ClusterBench, differences, sizes

pytestmark = pytest.mark.timeout(300)

SERVICES = 200
TRIES = 5
ONE_CHANGE = 1 / 50
NARROW_TIME = 1 / 4
"""The narrow view looks at every service to find its ten, and compiles nothing for the others."""
FIXED = 4096
"""Bytes of what every sidecar has, whatever it imports."""


@pytest.fixture(scope="module")
def bench() -> ClusterBench:
    """Return a mesh without any proxy."""
    return ClusterBench(SERVICES)


@pytest.fixture(scope="module")
def costs(bench: ClusterBench) -> dict[str, float]:
    """Return what the first sidecars of both namespaces cost: without a Sidecar object, and with one of ten hosts."""
    return {namespace: bench.serve(namespace).seconds for namespace in (WIDE, NARROW)}


def test_every_service_has_its_clusters(bench: ClusterBench, costs: dict[str, float]) -> None:
    """One cluster for each service and each of its subsets, all with endpoints; beside the three that every sidecar has."""
    assert costs
    found = sizes(bench.state(WIDE))
    assert found["EDS"]["resources"] == 3 * SERVICES
    assert found["CDS"]["resources"] == 3 * SERVICES + 3


def test_a_sidecar_object_saves_what_it_leaves_out(bench: ClusterBench, costs: dict[str, float]) -> None:
    """Ten hosts of so many cost as much less: in resources, in bytes, and in time."""
    wide, narrow = sizes(bench.state(WIDE)), sizes(bench.state(NARROW))
    assert narrow["EDS"]["resources"] == 3 * IMPORTED
    assert narrow["CDS"]["resources"] == 3 * IMPORTED + 3
    for name in ("CDS", "EDS", "VHDS"):
        assert narrow[name]["bytes"] <= wide[name]["bytes"] * IMPORTED / SERVICES * 1.1 + FIXED, name
    assert costs[NARROW] <= costs[WIDE] * NARROW_TIME, costs


def test_one_address(bench: ClusterBench, costs: dict[str, float]) -> None:
    """Another address of one pod changes the endpoints of its service and of its subset, for a fiftieth of a full compile."""
    number = IMPORTED + 1
    before = bench.state(WIDE)
    costs_of = [bench.change(bench.mesh.endpoint_slice(number, {3: f"10.250.{index}.1"})).seconds for index in range(TRIES)]
    host = bench.mesh.host(number)
    assert differences(before, bench.state(WIDE)) == {"EDS": [f"outbound|8080|v1|{host}", f"outbound|8080||{host}"]}
    assert min(costs_of) <= costs[WIDE] * ONE_CHANGE, (costs_of, costs)


def test_one_label(bench: ClusterBench, costs: dict[str, float]) -> None:
    """A pod that goes to another subset changes the endpoints of its service alone: no cluster, no listener, no route."""
    number = IMPORTED + 2
    before, narrow = bench.state(WIDE), bench.state(NARROW)
    costs_of = [bench.change(bench.mesh.pod(number, 3, version)).seconds for version in ("v2", "v1", "v2", "v1", "v2")]
    host = bench.mesh.host(number)
    changed = [f"outbound|8080|v1|{host}", f"outbound|8080|v2|{host}", f"outbound|8080||{host}"]
    assert differences(before, bench.state(WIDE)) == {"EDS": changed}
    assert differences(narrow, bench.state(NARROW)) == {}
    assert min(costs_of) <= costs[WIDE] * ONE_CHANGE, (costs_of, costs)
