"""Long work gives way."""

from __future__ import annotations

import asyncio

from meshctl_operator.controlplane.slices import Slices
from tests.support.clocks import ManualClock


async def test_the_loop_has_its_turn_when_the_slice_is_spent() -> None:
    """And not before."""
    clock = ManualClock()
    turns: list[int] = []
    slices = Slices(clock, 0.004)
    slices.begin()
    asyncio.get_running_loop().call_soon(turns.append, 1)
    await slices.breathe()
    assert turns == []
    clock.advance(0.004)
    assert slices.spent
    await slices.breathe()
    assert turns == [1]
    assert not slices.spent


def test_work_that_others_will_do_counts_as_well() -> None:
    """A response that is about to be written takes the loop's time too."""
    slices = Slices(ManualClock(), 0.004)
    slices.begin()
    for _ in range(3):
        slices.charge(0.001)
        assert not slices.spent
    slices.charge(0.0011)
    assert slices.spent


def test_a_slice_can_be_ended() -> None:
    """What was done should go out now."""
    slices = Slices(ManualClock(), 0.004)
    slices.begin()
    slices.use_up()
    assert slices.spent
