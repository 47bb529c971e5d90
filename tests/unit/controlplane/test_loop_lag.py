"""The lag of the loop is seen."""

from __future__ import annotations

import asyncio

import pytest

from meshctl_operator.controlplane.loop_lag import SAMPLE_EVERY, watch_loop
from meshctl_operator.controlplane.telemetry import Telemetry


class Script:
    """A clock that says what is written down, and then that it is at its end."""

    def __init__(self, *times: float) -> None:
        """Write down the times."""
        self.times = list(times)
        self.over = asyncio.Event()

    def monotonic(self) -> float:
        """Return the next time."""
        if len(self.times) == 1:
            self.over.set()
        return self.times[0] if len(self.times) == 1 else self.times.pop(0)

    def time(self) -> float:
        """Return the same."""
        return self.monotonic()


async def test_a_late_timer_is_a_lag() -> None:
    """In the histogram and in the maximum, which stays; a timer that is early is on time."""
    telemetry = Telemetry()
    clock = Script(0.0, SAMPLE_EVERY + 0.15, 1.0, 1.0 + SAMPLE_EVERY + 0.01, 2.0, 2.0 + SAMPLE_EVERY / 2, 3.0)
    task = asyncio.create_task(watch_loop(telemetry, clock))
    await clock.over.wait()
    task.cancel()
    assert telemetry.loop_lag_max.value == pytest.approx(0.15)
    assert telemetry.loop_lag.count == 3
    assert telemetry.loop_lag.sum == pytest.approx(0.16)
