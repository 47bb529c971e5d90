"""How late the event loop is: a timer that is watched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.controlplane.telemetry import Telemetry

SAMPLE_EVERY: Final = 0.02
"""Seconds between samples: a pause of this length is seen for sure, at 50 wake-ups a second (0.1 % of a core)."""


async def watch_loop(telemetry: Telemetry, clock: Clock, tick: Callable[[], None] = lambda: None) -> None:
    """Observe until cancelled how much later than asked for the loop comes back; ``tick`` is called with each sample."""
    worst = 0.0
    while True:
        begin = clock.monotonic()
        await asyncio.sleep(SAMPLE_EVERY)
        lag = max(0.0, clock.monotonic() - begin - SAMPLE_EVERY)
        telemetry.loop_lag.observe(lag)
        if lag > worst:
            worst = lag
            telemetry.loop_lag_max.set(lag)
        tick()
