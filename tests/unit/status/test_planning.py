"""When a status is written."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.conditions import Conditions
from meshctl_operator.status.planning import Pacing, Urgency, WritePlanner, urgency
from tests.support.clocks import ManualClock
from tests.support.conditions import KEY, condition

PACING = Pacing(rate=10.0, burst=5)


def state(programmed: str = "True", reason: str = "Programmed", message: str = "2/2 proxies", generation: int = 1) -> Conditions:
    """Return the conditions of a valid object."""
    return (
        condition("Accepted", generation=generation),
        condition("ResolvedRefs", generation=generation),
        condition("Programmed", programmed, reason, message, generation),
    )


def pending(message: str = "1/2 proxies", generation: int = 1) -> Conditions:
    """Return the conditions of a valid object on its way."""
    return state("False", "Pending", message, generation)


INVALID = (condition("Accepted", "False", "Invalid"), condition("Programmed", "False", "Invalid"))
REFUSED = state("False", "EnvoyRejected", "p1 rejected it")


class Writer:
    """Makes the writes that are due, with a clock that stands still otherwise."""

    def __init__(self, pacing: Pacing = PACING) -> None:
        self.clock = ManualClock(0.0)
        self.planner = WritePlanner(pacing)
        self.stored: Conditions = ()
        self.writes: list[tuple[float, Conditions]] = []

    def want(self, wanted: Conditions) -> None:
        """Say what the status should be, and write at once what is due."""
        self.planner.want(KEY, wanted, self.stored, self.clock.now)
        self.write()

    def write(self) -> None:
        """Make the writes that are due."""
        for key, conditions in self.planner.take(self.clock.now):
            self.stored = conditions
            self.writes.append((round(self.clock.now, 3), conditions))
            self.planner.done(key, conditions, self.clock.now)

    def run(self, seconds: float) -> None:
        """Let time pass, and write what becomes due."""
        end = self.clock.now + seconds
        while (at := self.planner.next_at()) is not None and at <= end:
            self.clock.now = max(self.clock.now, at)
            self.write()
        self.clock.now = end


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        (state(), state(), Urgency.NONE),
        ((), state(), Urgency.PROGRAMMED),
        (state(), state(generation=2), Urgency.PROGRAMMED),
        ((), pending(), Urgency.PENDING),
        (state(), pending(generation=2), Urgency.PENDING),
        (pending("0/2 proxies"), pending("1/2 proxies"), Urgency.PROGRESS),
        ((), INVALID, Urgency.NEWS),
        (state(), REFUSED, Urgency.NEWS),
        ((), state("False", "NoProxies"), Urgency.NEWS),
        (state(), (*state(), condition("Conflicted")), Urgency.NEWS),
    ],
)
def test_what_a_write_is_for(stored: Conditions, wanted: Conditions, expected: Urgency) -> None:
    """A difference is told by what it means to a reader."""
    assert urgency(stored, wanted) is expected


def test_an_ordinary_change_is_one_write() -> None:
    """A change that the proxies take quickly is told once, a moment after they acknowledged it."""
    writer = Writer()
    writer.want(pending())
    writer.run(0.02)
    writer.want(state())
    writer.run(10)
    assert writer.writes == [(0.07, state())]


def test_a_slow_change_is_two_writes() -> None:
    """A change that takes long is told as pending, then as done."""
    writer = Writer()
    writer.want(pending("0/2 proxies"))
    writer.run(0.3)
    writer.want(pending("1/2 proxies"))
    writer.run(0.7)
    writer.want(state())
    writer.run(10)
    assert writer.writes == [(0.5, pending("1/2 proxies")), (1.05, state())]


def test_progress_is_told_seldom() -> None:
    """Counts alone are not worth a write each."""
    writer = Writer()
    for count in range(100):
        writer.want(pending(f"{count}/100 proxies"))
        writer.run(0.1)
    assert [at for at, _ in writer.writes] == [0.5, 5.5]


def test_bad_news_are_told_at_once() -> None:
    """Who applies a broken object, or one that Envoy rejects, waits for nothing."""
    for news in (INVALID, REFUSED):
        writer = Writer()
        writer.want(news)
        assert writer.writes == [(0.0, news)]


def test_flapping_is_damped() -> None:
    """What changes back and forth within one generation is told at most once a second."""
    writer = Writer()
    for _ in range(20):
        writer.want((*state(), condition("Conflicted")))
        writer.run(0.1)
        writer.want(state())
        writer.run(0.1)
    assert 4 <= len(writer.writes) <= 6


def test_each_generation_is_told_without_delay() -> None:
    """Edits that follow each other quickly are each told when they are done."""
    writer = Writer(Pacing())
    for generation in range(1, 101):
        writer.want(pending(generation=generation))
        writer.want(state(generation=generation))
        writer.run(0.06)
    assert len(writer.writes) == 100


def test_back_to_what_is_stored_needs_no_write() -> None:
    """A difference that is gone before it is due is never told."""
    writer = Writer()
    writer.want(state())
    writer.run(1)
    writer.want(pending(generation=1))
    writer.want(state())
    writer.run(10)
    assert len(writer.writes) == 1


def test_rate() -> None:
    """Many objects at once are written in a burst, then at the rate, the longest due first."""
    clock, planner = ManualClock(0.0), WritePlanner(PACING)
    keys = [ObjectKey("Gateway", "shop", f"g{number:02}") for number in range(25)]
    for key in keys:
        planner.want(key, INVALID, (), clock.now)
    written: list[tuple[float, ObjectKey]] = []
    while (at := planner.next_at()) is not None:
        clock.now = max(clock.now, at)
        for key, conditions in planner.take(clock.now):
            written.append((clock.now, key))
            planner.done(key, conditions, clock.now)
    assert [key for _, key in written] == keys
    assert [at for at, _ in written[:5]] == [0.0] * 5
    assert written[-1][0] == pytest.approx(2.0)


def test_failures_back_off() -> None:
    """A write that fails is tried again later and later; a success starts anew."""
    planner = WritePlanner(PACING)
    planner.want(KEY, INVALID, (), 0.0)
    now, waits = 0.0, []
    for _ in range(9):
        assert planner.take(now) == ((KEY, INVALID),)
        planner.failed(KEY, now)
        at = planner.next_at()
        assert at is not None
        waits.append(at - now)
        now = at
    assert waits[:3] == [0.5, 1.0, 2.0]
    assert waits[-1] == 60.0


def test_a_conflict_is_tried_again_at_once() -> None:
    """After a conflict the object is read again, and the write is due with what was read."""
    planner = WritePlanner(PACING)
    planner.want(KEY, INVALID, (), 0.0)
    planner.take(0.0)
    assert planner.take(0.0) == ()
    planner.failed(KEY, 0.0, conflict=True)
    planner.want(KEY, INVALID, state(), 0.0)
    assert planner.take(0.0) == ((KEY, INVALID),)


def test_what_changes_during_a_write_is_written_after_it() -> None:
    """Nothing that is wanted gets lost while a write is on its way."""
    planner = WritePlanner(PACING)
    planner.want(KEY, INVALID, (), 0.0)
    planner.take(0.0)
    planner.want(KEY, REFUSED, (), 0.1)
    assert planner.next_at() is None
    planner.done(KEY, INVALID, 0.2)
    assert planner.take(0.2) == ((KEY, REFUSED),)


def test_forgotten_objects_are_not_written() -> None:
    """An object that is gone, or that belongs to somebody else now, gets no status; late answers about it do no harm."""
    planner = WritePlanner(PACING)
    other = KEY._replace(name="other")
    for key in (KEY, other):
        planner.want(key, INVALID, (), 0.0)
    planner.forget_all_but([other])
    assert [key for key, _ in planner.take(0.0)] == [other]
    planner.forget(other)
    planner.done(other, INVALID, 0.0)
    planner.failed(other, 0.0)
    assert planner.next_at() is None
