"""The collector is timed, and tuned only in a process of our own."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from meshctl_operator.controlplane.garbage import THAW_EVERY, THRESHOLDS, GarbageCollector
from meshctl_operator.controlplane.telemetry import Telemetry


class Cycle:
    """An object that only the collector can free."""

    def __init__(self) -> None:
        """Refer to itself."""
        self.me = self


@pytest.fixture(autouse=True)
def _by_hand() -> Iterator[None]:
    """Collect only where the test says so."""
    gc.disable()
    yield
    gc.enable()


def test_pauses_are_timed() -> None:
    """By generation, also where nothing is tuned."""
    telemetry, before, frozen = Telemetry(), gc.get_threshold(), gc.get_freeze_count()  # other tests may have left frozen objects
    with GarbageCollector(telemetry, tuned=False) as collector:
        assert gc.get_threshold() == before
        gc.collect()
        collector.tick()
        collector.at_rest(THAW_EVERY)
        assert gc.get_freeze_count() == frozen
    assert telemetry.gc_pauses.of("2").count == 1
    gc.collect()
    assert telemetry.gc_pauses.of("2").count == 1


def test_what_survives_a_pass_is_frozen() -> None:
    """Not what a young pass leaves, which has hardly lived; everything is as it was afterwards."""
    before = gc.get_threshold()
    with GarbageCollector(Telemetry(), tuned=True) as collector:
        assert gc.get_threshold() == THRESHOLDS
        modules = gc.get_freeze_count()
        assert modules > 0
        held = [Cycle() for _ in range(1000)]
        gc.collect(0)
        collector.tick()
        assert gc.get_freeze_count() <= modules
        gc.collect(1)
        collector.tick()
        assert gc.get_freeze_count() >= modules + len(held) / 2
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_now_and_then_everything_is_looked_at() -> None:
    """Cycles among frozen objects would never be found otherwise."""
    with GarbageCollector(Telemetry(), tuned=True) as collector:
        collector.at_rest(0.0)
        cycle = Cycle()
        gone = weakref.ref(cycle)
        gc.freeze()
        del cycle
        gc.collect()
        collector.at_rest(THAW_EVERY - 1)
        assert gone() is not None
        collector.at_rest(THAW_EVERY)
        assert gone() is None
        assert gc.get_freeze_count() > 0
