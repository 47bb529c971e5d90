"""Streams are served in slices, the cheap before the expensive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from meshctl_operator.base.errors import CompileBug
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane.nodes import DeclaredProxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.serving import LOOK, Serving, Waiting
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.slices import SLICE, Slices
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState
from tests.support.clocks import ManualClock

HALF = 50


class Deaf:
    """A listener that does nothing."""

    def connected(self, session: ProxySession) -> None:
        """Do nothing."""

    def pushed(self, session: ProxySession, push: Push) -> None:
        """Do nothing."""

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Do nothing."""

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Do nothing."""

    def outdated(self, session: ProxySession, type_url: TypeUrl) -> None:
        """Do nothing."""

    def overdue(self, session: ProxySession, overdue: Overdue) -> None:
        """Do nothing."""

    def idle(self, session: ProxySession) -> None:
        """Do nothing."""

    def closed(self, session: ProxySession) -> None:
        """Do nothing."""


def stream(name: str) -> ProxySession:
    """Return the stream of a proxy."""
    return ProxySession(NodeInfo(f"sidecar~10.0.0.1~{name}.ns~ns.svc.cluster.local"), "delta", "ipv4:127.0.0.1:1", 0.0, Deaf())


class SlowCompiler:
    """A compiler that needs a given number of milliseconds for each proxy, and does not need them again."""

    def __init__(self, clock: ManualClock, **milliseconds: int) -> None:
        """Say how long the proxies take."""
        self.clock = clock
        self.left = milliseconds
        self.broken: set[str] = set()
        self.half_way: Callable[[], None] = lambda: None

    def prepare(self, declared: DeclaredProxy) -> Iterator[None]:
        """Take a millisecond at each step."""
        name = declared.proxy.name
        while self.left.get(name, 0):
            self.left[name] -= 1
            if self.left[name] == HALF:
                self.half_way()
            self.clock.advance(0.001)
            yield
        if f"{name} prepare" in self.broken:
            raise CompileBug("broken")

    def serve(self, declared: DeclaredProxy, before: Served | None) -> Served:
        """Take no time."""
        if declared.proxy.name in self.broken:
            raise CompileBug("broken")
        return before or Served(Proxy(ProxyRole.SIDECAR, "a", "b"), CompiledProxy({}, ()), ViewState(1, {}))


class Rig:
    """What serves, and what it said."""

    def __init__(self, **milliseconds: int) -> None:
        """Wire a compiler that takes so long for each proxy."""
        self.clock = ManualClock()
        self.slices = Slices(self.clock)
        self.compiler = SlowCompiler(self.clock, **milliseconds)
        self.order: list[str] = []
        self.waits: dict[str, Waiting] = {}
        self.failures = 0
        self.serving = Serving(self.compiler, self.slices, self.clock, self._served, self._failed)
        self.streams = {name: stream(name) for name in milliseconds}
        for session in self.streams.values():
            self.serving.add(session, self.clock.monotonic())
        self.slices.begin()

    def _served(self, session: ProxySession, _before: Served | None, _served: Served, waiting: Waiting) -> None:
        name = session.declared.proxy.name
        self.order.append(name)
        self.waits[name] = waiting

    def _failed(self) -> None:
        self.failures += 1

    async def drain(self) -> None:
        """Serve everybody."""
        await self.serving.drain(lambda: False, lambda: False)


async def test_the_cheap_are_not_held_up_by_the_expensive() -> None:
    """Those that take long come last, one after the other."""
    rig = Rig(slow=30, one=0, slower=50, two=0)
    await rig.drain()
    assert rig.order == ["one", "two", "slow", "slower"]
    assert rig.waits["slow"].spent == pytest.approx(0.030)
    assert rig.waits["one"].spent == 0.0
    assert len(rig.serving) == 0


async def test_the_loop_has_its_turn_every_few_milliseconds() -> None:
    """Others run while somebody is compiled for."""
    rig = Rig(slow=100)
    gaps: list[float] = []

    async def watch() -> None:
        last = rig.clock.now
        while len(rig.serving):
            await asyncio.sleep(0)
            gaps.append(rig.clock.now - last)
            last = rig.clock.now

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        tasks.create_task(rig.drain())
    assert max(gaps) <= SLICE + 2 * 0.001 + 1e-9
    assert len(gaps) >= 20


async def test_newcomers_are_looked_at_while_somebody_is_compiled_for() -> None:
    """A stream that needs nothing does not wait for the end of the work."""
    rig = Rig(slow=100)
    late = stream("late")

    rig.compiler.half_way = lambda: rig.serving.add(late, rig.clock.monotonic())
    await rig.drain()
    assert rig.order == ["late", "slow"]


async def test_changes_come_between_two_streams_and_into_long_work_only_when_overdue() -> None:
    """Some work is done in any case, so that a steady stream of changes starves nobody."""
    rig = Rig(one=0, two=0, slow=40)
    await rig.serving.drain(lambda: True, lambda: False)
    assert rig.order == ["one"]
    await rig.serving.drain(lambda: bool(rig.order[1:]), lambda: False)
    assert rig.order == ["one", "two"]
    await rig.serving.drain(lambda: len(rig.serving) == 1, lambda: True)
    left = rig.compiler.left["slow"]
    assert 0 < left < 40
    rig.serving.restart()
    await rig.serving.drain(lambda: True, lambda: True)
    assert 0 < rig.compiler.left["slow"] < left
    await rig.drain()
    assert rig.order == ["one", "two", "slow"]


async def test_who_waits_twice_is_served_once() -> None:
    """Also where it waits for the expensive work already."""
    rig = Rig(slow=40, one=0)
    rig.serving.add(rig.streams["one"], 2000.0)
    await rig.serving.drain(lambda: len(rig.serving) == 1, lambda: True)
    rig.serving.add(rig.streams["slow"], 2000.0)
    await rig.drain()
    assert rig.order == ["one", "slow"]
    assert {waiting.since for waiting in rig.waits.values()} == {1000.0}


async def test_a_stream_that_ends_is_not_served() -> None:
    """Neither before its turn nor in the midst of it."""
    rig = Rig(slow=40, other=0)
    rig.serving.discard(rig.streams["other"])
    await rig.serving.drain(lambda: False, lambda: True)
    await rig.serving.drain(lambda: False, lambda: True)
    assert rig.compiler.left["slow"] < 40
    rig.serving.discard(rig.streams["slow"])
    await rig.drain()
    assert rig.order == []


@pytest.mark.parametrize("where", ["x", "x prepare"], ids=["serve", "prepare"])
@pytest.mark.parametrize("milliseconds", [0, 30], ids=["at-first-look", "later"])
async def test_a_bug_ends_nobodys_turn_but_its_own(where: str, milliseconds: int, caplog: pytest.LogCaptureFixture) -> None:
    """The stream keeps what it has, and the bug is told."""
    rig = Rig(x=milliseconds, y=milliseconds)
    rig.compiler.broken.add(where)
    await rig.drain()
    assert rig.order == ["y"]
    assert rig.failures == 1
    assert [record.message for record in caplog.records] == ["compile bug"]
    assert rig.streams["x"].served is None


def test_a_look_is_shorter_than_a_slice() -> None:
    """Or one stream could use up the turn of all."""
    assert LOOK < SLICE
