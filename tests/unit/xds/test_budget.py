"""Unit tests of the turns that big responses take."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from meshctl_operator.xds.budget import ROW, WriteBudget

LONG = 3600.0  # seconds: a patience that no test sees the end of


class Writer:
    """A write that lasts until it is let go."""

    def __init__(self, budget: WriteBudget, size: int) -> None:
        self.writing = asyncio.Event()
        self.done = asyncio.Event()
        self.task = asyncio.create_task(self._write(budget, size))

    async def _write(self, budget: WriteBudget, size: int) -> None:
        async with budget.share(size):
            self.writing.set()
            await self.done.wait()

    async def finish(self) -> None:
        """Let it go."""
        self.done.set()
        await self.task


async def begun(budget: WriteBudget, *sizes: int) -> list[Writer]:
    """Return writers that have asked for their share."""
    writers = [Writer(budget, size) for size in sizes]
    await asyncio.sleep(0)
    return writers


async def test_shares_are_given_in_turn_and_never_exceed_the_limit() -> None:
    """A small share does not overtake a big one that waits: nobody starves."""
    budget = WriteBudget(100, LONG)
    first, big, small = await begun(budget, 60, 80, 10)
    assert [writer.writing.is_set() for writer in (first, big, small)] == [True, False, False]
    assert (budget.out, budget.waiting) == (60, 2)
    await first.finish()
    await asyncio.gather(big.writing.wait(), small.writing.wait())
    assert (budget.out, budget.waiting) == (90, 0)
    await asyncio.gather(big.finish(), small.finish())
    assert budget.out == 0


async def test_a_share_beyond_the_limit_is_given_alone() -> None:
    """A response that is bigger than the limit is written when nothing else is."""
    budget = WriteBudget(100, LONG)
    first, huge = await begun(budget, 1, 1000)
    assert not huge.writing.is_set()
    await first.finish()
    await huge.writing.wait()
    (small,) = await begun(budget, 1)
    assert not small.writing.is_set()
    await huge.finish()
    await small.finish()


async def test_who_does_not_finish_gives_its_share_back() -> None:
    """After the time of patience others go on, and the late end of the write gives nothing back twice."""
    budget = WriteBudget(100, 0.01)
    stuck, other = await begun(budget, 100, 100)
    async with asyncio.timeout(5):
        await other.writing.wait()
    assert not stuck.task.done()
    await stuck.finish()
    await other.finish()
    assert budget.out == 0


async def test_who_is_cancelled_while_waiting_holds_nobody_up() -> None:
    """A stream that ends while it waits leaves the queue; one that ends in the moment of its turn gives it back."""
    budget = WriteBudget(100, LONG)
    first, gone, last = await begun(budget, 100, 100, 100)
    gone.task.cancel()
    await first.finish()
    await last.writing.wait()
    (next_one,) = await begun(budget, 100)
    last.done.set()
    await asyncio.sleep(0)  # the share is given, and the one who waited for it has not run yet
    next_one.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await next_one.task
    assert (budget.out, budget.waiting) == (0, 0)
    await last.task


async def test_one_turn_begins_in_each_round_of_the_loop() -> None:
    """Each starts with some milliseconds of work, and others want to run in between."""
    budget = WriteBudget(100, LONG)
    writers = await begun(budget, 10, 10, 10, 10)
    seen = []
    while not all(writer.writing.is_set() for writer in writers):
        seen.append(sum(writer.writing.is_set() for writer in writers))
        await asyncio.sleep(0)
    assert seen[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(seen))
    for writer in writers:
        await writer.finish()
    assert budget.out == 0


async def order_of_turns(kinds: list[str]) -> list[str]:
    """Return the kinds in the order in which their turns come, when all wait from the beginning."""
    budget = WriteBudget(1, LONG)
    (first,) = await begun(budget, 1)
    seen: list[str] = []

    async def write(kind: str) -> None:
        async with budget.share(1, kind):
            seen.append(kind)

    async with asyncio.TaskGroup() as tasks:
        for kind in kinds:
            tasks.create_task(write(kind))
        await asyncio.sleep(0)
        await first.finish()
    assert (budget.out, budget.waiting) == (0, 0)
    return seen


async def test_those_that_wait_for_the_same_have_their_turns_in_a_row() -> None:
    """A response of a megabyte is joined for the first of them, and still there for the others."""
    assert await order_of_turns(["a", "b", "a", "c", "b", "a"]) == ["a", "a", "a", "b", "b", "c"]


async def test_a_row_ends_for_the_others_to_have_their_turns() -> None:
    """However many wait for the same, nobody waits for all of them."""
    order = await order_of_turns([*["a"] * (ROW + 2), "b"])
    assert order == [*["a"] * ROW, "b", "a", "a"]
