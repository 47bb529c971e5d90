"""Who else there is, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.status.election import LeaseRecord, Leases, LeaseTimes
from meshctl_operator.kube.status.replicas import ABANDONED, ADDRESS, LABEL, START_PATIENCE, TIME, TOKEN, Presence, Replicas, is_abandoned
from meshctl_operator.kube.status.reports import ReportServer
from meshctl_operator.status.acknowledgements import Acknowledgements
from tests.support.clocks import ManualClock
from tests.support.fake_api import FakeApi

TIMES = LeaseTimes(duration=12.0, deadline=8.0, retry=0.02)
SECRET = "of the tests"
RULE = ObjectKey("VirtualService", "shop", "cart")


class Rig:
    """A leader, and replicas that it hears of by their Leases."""

    def __init__(self, api: FakeApi, stack: AsyncExitStack) -> None:
        """Start without others."""
        self.api, self.stack = api, stack
        self.clock = ManualClock()
        self.leases = Leases(cast("Connection", api), "istio-system", TIMES)
        self.wanted: list[ObjectKey] = []
        self.news = asyncio.Event()
        self.replicas = Replicas(self.leases, "own", "group", self.clock, TIMES, lambda: self.wanted, self.news.set)
        self.said: dict[str, Acknowledgements] = {}
        self.ready: dict[str, bool] = {}

    async def other(self, name: str, said: Acknowledgements, *, token: str = SECRET) -> tuple[Presence, ReportServer]:
        """Start another replica; ``token`` is what its Lease says."""
        self.said[name], self.ready[name] = said, True
        server = ReportServer(SECRET, lambda: self.ready[name], lambda keys: dict.fromkeys(keys, self.said[name]))
        address = await server.start("127.0.0.1")
        self.stack.push_async_callback(server.stop)
        presence = Presence(self.leases, name, "group", TIMES, {ADDRESS: address, TOKEN: token})
        await presence.begin()
        return presence, server

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait for news that make it so."""
        while not check():
            self.news.clear()
            await self.news.wait()

    def told(self) -> list[Acknowledgements | None]:
        """Return what is said of the rule."""
        return list(self.replicas.say(RULE))


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    """Run a leader."""
    async with AsyncExitStack() as stack:
        found = Rig(FakeApi(), stack)
        await Presence(found.leases, "own", "group", TIMES, {}).begin()
        running = asyncio.create_task(found.replicas.run())
        try:
            yield found
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_known_before_it_is_known_who_there_is() -> None:
    """An empty list is something else than no list."""
    found = Rig(FakeApi(), AsyncExitStack())
    assert found.told() == [None]
    async with rig() as alone:
        await alone.until(lambda: alone.told() == [])


async def test_each_replica_is_asked_for_what_is_open() -> None:
    """And again when it has news."""
    async with rig() as leader:
        _, server = await leader.other("two", one := Acknowledgements(1, frozenset({"a.x"})))
        await leader.until(lambda: leader.told() == [None])
        leader.wanted = [RULE]
        leader.replicas.asked_for_more()
        await leader.until(lambda: leader.told() == [one])
        leader.said["two"] = two = Acknowledgements(1, frozenset({"a.x"}), frozenset({"a.x"}))
        server.note()
        await leader.until(lambda: leader.told() == [two])


async def test_a_replica_that_starts_is_waited_for_but_not_for_ever() -> None:
    """It may serve proxies at any moment, or never get ready."""
    async with rig() as leader:
        leader.wanted = [RULE]
        _, server = await leader.other("two", Acknowledgements(1))
        leader.ready["two"] = False
        leader.replicas.asked_for_more()
        await leader.until(lambda: leader.told() == [None])
        while not leader.replicas._known["two"].starting:  # noqa: ASYNC110  (silence announces nothing)
            await asyncio.sleep(0.01)
        assert leader.told() == [None]
        leader.replicas._known["two"].known_since -= START_PATIENCE
        assert leader.told() == []
        leader.ready["two"] = True
        server.note()
        await leader.until(lambda: leader.told() == [Acknowledgements(1)])


async def test_a_replica_that_does_not_answer_leaves_things_open_as_long_as_its_lease_is_renewed() -> None:
    """After that it is gone, and it is back when it renews."""
    async with rig() as leader:
        leader.wanted = [RULE]
        presence, _ = await leader.other("two", Acknowledgements(1), token="another")
        await leader.until(lambda: leader.told() == [None])
        for _ in range(3):
            leader.clock.advance(TIMES.duration / 2)
            await asyncio.to_thread(presence.renew)
            await asyncio.sleep(0.1)
            assert leader.told() == [None]
        leader.clock.advance(TIMES.duration)
        await leader.until(lambda: leader.told() == [])
        await asyncio.sleep(0.1)
        assert leader.told() == []
        await asyncio.to_thread(presence.renew)
        await leader.until(lambda: leader.told() == [None])


async def test_a_replica_that_ends_is_gone_at_once() -> None:
    """It gives up its Lease."""
    async with rig() as leader:
        presence, _ = await leader.other("two", Acknowledgements(1))
        await leader.until(lambda: len(leader.told()) == 1)
        running = asyncio.create_task(presence.run())
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await leader.until(lambda: leader.told() == [])


async def test_trouble_with_the_server_changes_nothing() -> None:
    """Who was there is there; Leases are renewed later."""
    async with rig() as leader:
        presence, _ = await leader.other("two", Acknowledgements(1))
        await leader.until(lambda: len(leader.told()) == 1)
        leader.api.fail = ApiFailure("away", 503)
        await presence.begin()
        await asyncio.to_thread(presence._give_up)
        await asyncio.sleep(0.1)
        assert len(leader.told()) == 1


async def test_a_replica_that_starts_tells_the_leader() -> None:
    """Whose next look would be later; without a leader, and if that does not answer, it starts all the same."""
    leases = Leases(cast("Connection", FakeApi()), "istio-system", TIMES)
    greeted = asyncio.Event()
    server = ReportServer(SECRET, lambda: True, lambda _: {})
    server.greeted = greeted.set
    address = await server.start("127.0.0.1")
    try:
        for token in ("another", SECRET):
            await Presence(leases, "one", "group", TIMES, {ADDRESS: address, TOKEN: token}).begin()
            leases.write(LeaseRecord("group", "one"))
            await Presence(leases, "two", "group", TIMES, {}).begin()
            assert greeted.is_set() is (token == SECRET)
    finally:
        await server.stop()


async def test_leases_are_used_again() -> None:
    """Those that were given up at once, those that nobody renews after a while, so that there are never many."""
    api = FakeApi()
    leases = Leases(cast("Connection", api), "istio-system", TIMES)
    one, two = (Presence(leases, name, "group", TIMES, {}) for name in ("one", "two"))
    one.renew()
    one.renew()
    two.renew()
    assert len(api.documents) == 2
    one._give_up()
    one._give_up()
    Presence(leases, "three", "group", TIMES, {}).renew()
    assert {record.holder for record in leases.listed(f"{LABEL}=group")} == {"two", "three"}
    assert len(api.documents) == 2
    now = datetime.now(UTC)
    old = LeaseRecord("x", "crashed", (now - ABANDONED - timedelta(seconds=1)).strftime(TIME))
    assert is_abandoned(old, now)
    assert not is_abandoned(replace(old, renewed=now.strftime(TIME)), now)
    assert not is_abandoned(replace(old, renewed=""), now)
