"""The garbage collector of a process that holds a mesh: what is long-lived is looked at once, and not again and again.

Reference counting frees nearly everything here; the collector only has to find rare cycles. With Python's defaults it passes over the
whole mesh again and again while that grows: for 1,000 services half a second in all, and at the end 0.2 s at a time, on the event loop.
So the young generation is larger, and what a pass over the middle one leaves alive is frozen: left out of all passes from then on. Each
object is visited about twice, some milliseconds at a time. Cycles among objects that were frozen and die later are found when everything
is thawed for one full pass, which happens seldom and only when there is nothing else to do.
"""

from __future__ import annotations

import gc
import time
from types import TracebackType
from typing import Final, Self

from meshctl_operator.controlplane.telemetry import Telemetry

THRESHOLDS: Final = (5_000, 2, 50)
"""Allocations before a young pass (some 3 ms); young passes before a middle one (some 10 ms); middle ones before a full one."""

THAW_EVERY: Final = 6 * 3600.0
"""Seconds after which everything is looked at once more: some tenths of a second for a large mesh."""


class GarbageCollector:
    """Times the collector of this process, and tunes it if ``tuned``, for the length of a ``with`` block."""

    def __init__(self, telemetry: Telemetry, *, tuned: bool) -> None:
        self._telemetry = telemetry
        self._tuned = tuned
        self._before = gc.get_threshold()
        self._begin = 0.0
        self._survivors = False
        self._thawed_at: float | None = None

    def __enter__(self) -> Self:
        """Start."""
        gc.callbacks.append(self._collected)
        if self._tuned:
            self._before = gc.get_threshold()
            gc.freeze()  # the modules that were imported
            gc.set_threshold(*THRESHOLDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the collector as it was."""
        gc.callbacks.remove(self._collected)
        if self._tuned:
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def tick(self) -> None:
        """Freeze what survived a pass since the last call. Takes no time; call it every now and then."""
        if self._survivors:
            self._survivors = False
            gc.freeze()

    def at_rest(self, now: float) -> None:
        """Thaw, look at everything and freeze again, if it is time to and there is nothing else to do."""
        if not self._tuned:
            return
        if self._thawed_at is None:
            self._thawed_at = now
        if now - self._thawed_at >= THAW_EVERY:
            self._thawed_at = now
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def _collected(self, phase: str, info: dict[str, int]) -> None:
        """Time a pass (``gc.callbacks``); called by whatever thread it happened in, so it does no more than that."""
        if phase == "start":
            self._begin = time.perf_counter()
            return
        generation = info["generation"]
        self._telemetry.gc_pauses.of(str(generation)).observe(time.perf_counter() - self._begin)
        if self._tuned and generation > 0:
            self._survivors = True
