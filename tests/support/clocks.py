"""A clock that stands still until it is told otherwise."""

from __future__ import annotations


class ManualClock:
    """``base.clock.Clock`` for tests."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        """Return the time that was set."""
        return self.now

    def time(self) -> float:
        """Return the time that was set."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
