"""One replica leads, and another one when that stops."""

from __future__ import annotations

import asyncio
import logging
from typing import cast

import pytest

from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.status.election import Election, LeaseRecord, Leases, LeaseTimes, lease_record
from tests.support.clocks import ManualClock
from tests.support.fake_api import FakeApi

TIMES = LeaseTimes(duration=12.0, deadline=8.0, retry=0.01)
PATH = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases"


def leases(api: FakeApi) -> Leases:
    """Return the Leases of a pretended server."""
    return Leases(cast("Connection", api), "istio-system", TIMES)


class Candidate:
    """One replica, with a clock of its own."""

    def __init__(self, api: FakeApi, name: str) -> None:
        """Stand for election."""
        self.clock = ManualClock()
        self.told: list[bool] = []
        self.election = Election(leases(api), "lead", name, self.clock, TIMES, lambda: self.told.append(self.election.leads))

    async def turn(self) -> bool:
        """Try once; return whether it leads."""
        await self.election._attempt()
        self.election._tell()
        return self.election.leads


async def test_the_first_one_leads_and_the_others_wait() -> None:
    """As long as it renews."""
    api = FakeApi()
    one, two = Candidate(api, "one"), Candidate(api, "two")
    assert await one.turn()
    assert not await two.turn()
    for _ in range(5):
        one.clock.advance(5)
        two.clock.advance(5)
        assert await one.turn()
        assert not await two.turn()
    assert one.told == [True]


async def test_another_one_takes_over_when_the_leader_is_silent() -> None:
    """Not before the leader has stopped by itself: it counts from before its last renewal, the other one from when it saw that."""
    api = FakeApi()
    one, two = Candidate(api, "one"), Candidate(api, "two")
    assert await one.turn()
    assert not await two.turn()
    for each in (one, two):
        each.clock.advance(TIMES.deadline)
    assert not one.election.leads
    assert not await two.turn()
    two.clock.advance(TIMES.duration - TIMES.deadline)
    assert await two.turn()
    assert not await one.turn()
    assert lease_record(api.documents[f"{PATH}/lead"]).transitions == 1


async def test_of_two_that_try_at_once_one_wins() -> None:
    """The version that was read guards the write."""
    api = FakeApi()
    one, two = leases(api), leases(api)
    first = one.write(LeaseRecord("lead", "one"))
    assert first is not None
    assert two.write(LeaseRecord("lead", "two")) is None
    assert one.write(first) is not None
    assert two.write(first) is None


async def test_a_server_in_trouble_changes_nothing_until_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    """The leader goes on for a while; the trouble is told once."""
    api = FakeApi()
    one = Candidate(api, "one")
    assert await one.turn()
    api.fail = ApiFailure("away")
    one.clock.advance(TIMES.deadline - 1)
    assert await one.turn()
    one.clock.advance(1)
    assert not await one.turn()
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


async def test_whoever_stops_gives_the_lease_back() -> None:
    """Another one leads at once."""
    api = FakeApi()
    one, two = Candidate(api, "one"), Candidate(api, "two")
    running = asyncio.create_task(one.election.run())
    while not one.election.leads:  # noqa: ASYNC110  (threads announce nothing)
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not one.election.leads
    assert await two.turn()


def test_leases_are_found_by_their_labels() -> None:
    """Failures are the caller's business."""
    found = leases(api := FakeApi())
    found.write(LeaseRecord("a", "x", labels={"of": "us"}, annotations={"where": "there"}))
    found.write(LeaseRecord("b", "y", labels={"of": "others"}))
    (one,) = found.listed("of=us")
    assert (one.name, one.holder, one.annotations) == ("a", "x", {"where": "there"})
    api.fail = ApiFailure("away", 500)
    with pytest.raises(ApiFailure):
        found.read("b")
    with pytest.raises(ApiFailure):
        found.write(one)
