"""What one change may cost a server and its clients: counts of messages and bytes, and ratios within one run, at small sizes.

A real ``meshctl serve`` on files, and simulated Envoys in a process of their own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.scenario import Plan, Scenario
from tests.support.load.control import Report

pytestmark = pytest.mark.timeout(300)

SERVICES = 60
FEW, MANY = 20, 200
NAMESPACES = 20
MOST_LAST_ACK = 15.0
"""Last ACK of ten times as many clients, as a multiple."""
MOST_OVERHEAD = 400
"""Bytes that an endpoint change costs a client beyond the resources themselves."""
MOST_RECONNECT = 2048
"""Bytes for a client that reconnects and is up to date."""
MOST_RSS_KIB = 160
"""Memory of one more client; twice the bar for a thousand of them, since allocators grow in steps."""
TRIES = 4


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Return a running server with few clients; the last tests add more."""
    plan = Plan(SERVICES, FEW, quiet=0.3, nothing=0.8, timeout=30.0, storm_changes=60, storm_seconds=1.5)
    with Scenario(plan, tmp_path_factory.mktemp("gates") / "load") as scenario:
        assert not scenario.cold("E0")["timeout"]
        yield scenario


def reached(report: Report) -> bool:
    """Tell whether everybody who should see the change did, in time and without a broken stream."""
    return report["got_marker"] >= report["expected"] > 0 and not report["timeout"] and not report["reconnects"]


def test_an_endpoint_costs_a_few_bytes(few: Scenario) -> None:
    """E1: one message of endpoints for each client, with no more than a frame around the changed resources."""
    report = few.endpoint(1)
    assert reached(report)
    assert report["messages_per_client"] == {"EDS": 1.0}
    assert report["overhead_per_client"]["EDS"] <= MOST_OVERHEAD
    assert report["resources_per_client"]["EDS"] <= 2  # the cluster of the port, and that of the subset


def test_a_weight_sends_routes_only(few: Scenario) -> None:
    """E2: no cluster, endpoint or listener is sent for a route."""
    report = few.weight(1)
    assert reached(report)
    assert report["messages_per_client"] in ({"RDS": 1.0}, {"VHDS": 1.0})


def test_a_subset_sends_its_cluster_and_endpoints_only(few: Scenario) -> None:
    """E4: one cluster and its endpoints, no route."""
    report = few.subset(1)
    assert reached(report)
    assert report["messages_per_client"].keys() == {"CDS", "EDS"}
    assert report["resources_per_client"]["CDS"] == 1.0


def test_a_new_service_sends_no_old_one(few: Scenario) -> None:
    """E3: three clusters and their endpoints; the listeners stay."""
    report = few.new_service(1)
    assert reached(report)
    assert report["resources_per_client"]["CDS"] == 3.0
    assert "LDS" not in report["messages_per_client"]


def test_an_object_of_one_namespace_reaches_that_one(few: Scenario) -> None:
    """E5: one client of twenty sees the VirtualService, and only that one gets a message."""
    report = few.private_weight(1)
    assert reached(report)
    assert report["strangers"] == 0
    assert report["messages"] == report["expected"] == FEW // NAMESPACES


@pytest.mark.parametrize("variant", [1, 2, 3], ids=["annotation-of-a-route", "annotation-of-a-service", "order-of-keys"])
def test_what_configures_nothing_sends_nothing(few: Scenario, variant: int) -> None:
    """E6: no message at all."""
    assert few.nothing_new(variant)["messages"] == 0


def test_a_rejection_is_no_loop(few: Scenario) -> None:
    """A client that rejects a route is not sent it again and again, and the others have it."""
    report = few.rejected_weight()
    assert reached(report)
    assert report["messages"] <= 2 * FEW  # the change, and at most the way back to the last good state


def test_clients_that_do_not_read_hold_nobody_up(few: Scenario) -> None:
    """Half of the clients stop reading, the others get each change; those that read again get the newest state."""
    *edits, caught_up = few.slow_readers()
    assert all(map(reached, edits))
    assert not caught_up["timeout"]
    assert caught_up["got_any"] == edits[0]["slow"]


def test_a_storm_loses_no_change(few: Scenario) -> None:
    """E7: every client holds every address in the end, in fewer messages than changes."""
    report = few.storm()
    assert reached(report)
    assert report["messages_per_client"].keys() == {"EDS"}
    assert report["messages_per_client"]["EDS"] <= few.plan.storm_changes


def test_a_reconnect_with_versions_is_nearly_free(few: Scenario) -> None:
    """E8: clients that are up to date get next to nothing, and their streams live."""
    reconnect, probe = few.reconnect("E8", versions=True)
    assert not reconnect["timeout"]
    assert sum(reconnect["bytes_per_client"].values()) <= MOST_RECONNECT
    assert reached(probe)


def test_a_restarted_server_sends_nothing_anew(few: Scenario) -> None:
    """E9: versions are hashes of contents, so that another process gives the same."""
    report = few.restart("E9-held", versions=True)
    assert not report["timeout"]
    assert sum(report["bytes_per_client"].values()) <= MOST_RECONNECT
    assert reached(few.endpoint(2))


def test_ten_times_the_clients(few: Scenario) -> None:
    """The last of ten times as many clients waits at most 15 times as long, and each costs the server little memory."""
    fast = min(few.endpoint(10 + number)["ack_ms"]["last"] for number in range(TRIES))
    before = few.server.rss()
    assert not few.grow(MANY)["timeout"]
    reports = [few.endpoint(20 + number) for number in range(TRIES)]
    assert all(report["expected"] == MANY for report in reports)
    assert all(map(reached, reports))
    slow = min(report["ack_ms"]["last"] for report in reports)
    assert slow <= fast * MOST_LAST_ACK, f"{slow} ms for {MANY} clients, {fast} ms for {FEW}"
    growth = (few.server.rss() - before) * 1024 / (MANY - FEW)
    assert growth <= MOST_RSS_KIB, f"{growth:.0f} KiB for each further client"
