"""Pauses after failures: longer each time, never the same for all, and over at once when the source stops."""

from __future__ import annotations

import random
import threading

from meshctl_operator.kube.settings import Timings


class Pauses:
    """The pauses of one thread."""

    def __init__(self, timings: Timings, stopping: threading.Event, rng: random.Random | None = None) -> None:
        """Take the limits, what ends a pause early, and where the jitter comes from."""
        self._timings = timings
        self._stopping = stopping
        self._rng = rng or random.Random()  # noqa: S311  (jitter keeps no secret)
        self._failures = 0

    def reset(self) -> None:
        """Begin with the shortest pause again: something worked."""
        self._failures = 0

    def next(self, at_least: float | None = None) -> float:
        """Return the length of the next pause: half to all of a time that doubles, but what the server asks for at least."""
        longest: float = min(self._timings.backoff * 2 ** min(self._failures, 16), self._timings.backoff_most)
        self._failures += 1
        return max(longest * self._rng.uniform(0.5, 1.0), at_least or 0.0)

    def pause(self, at_least: float | None = None) -> None:
        """Wait before another attempt."""
        self._stopping.wait(self.next(at_least))

    def spread(self, seconds: float) -> float:
        """Return a time near the given one."""
        return seconds * self._rng.uniform(0.8, 1.2)

    def between(self, least: int, most: int) -> int:
        """Return a whole number of seconds."""
        return self._rng.randint(least, most)
