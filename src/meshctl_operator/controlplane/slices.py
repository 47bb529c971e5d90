"""Time slices: long work on the event loop gives way after some milliseconds, so that ACKs, new streams and probes are answered meanwhile."""

from __future__ import annotations

import asyncio
from typing import Final

from meshctl_operator.base.clock import Clock

SLICE: Final = 0.004
"""Seconds of work at a time; a step inside may take up to 2 ms, and together they stay near 5 ms."""


class Slices:
    """The time that was used since the loop last had a turn."""

    def __init__(self, clock: Clock, length: float = SLICE) -> None:
        self._clock = clock
        self._length = length
        self._end = 0.0

    def begin(self) -> None:
        """Start a slice: the loop has just had a turn."""
        self._end = self._clock.monotonic() + self._length

    def charge(self, seconds: float) -> None:
        """Count work that others will do in the next turn because of what was done here."""
        self._end -= seconds

    def use_up(self) -> None:
        """End the slice: what was done should go out now."""
        self._end = 0.0

    @property
    def spent(self) -> bool:
        """Whether it is time to give way."""
        return self._clock.monotonic() >= self._end

    async def breathe(self) -> None:
        """Give the loop a turn if the slice is spent."""
        if self.spent:
            await asyncio.sleep(0)
            self.begin()
