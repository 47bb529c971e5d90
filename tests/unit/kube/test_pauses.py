"""Pauses grow, and are never the same for all."""

from __future__ import annotations

import random
import threading
import time

from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.settings import Timings

TIMINGS = Timings(backoff=1.0, backoff_most=8.0)


def test_pauses_double_up_to_a_limit_and_start_again() -> None:
    """With half of it left to chance."""
    pauses = Pauses(TIMINGS, threading.Event(), random.Random(1))  # noqa: S311  (jitter keeps no secret)
    for longest in (1, 2, 4, 8, 8, 8):
        assert longest / 2 <= pauses.next() <= longest
    pauses.reset()
    assert pauses.next() <= 1


def test_what_the_server_asks_for_is_kept() -> None:
    """``Retry-After`` is the least."""
    assert Pauses(TIMINGS, threading.Event()).next(30.0) == 30.0


def test_a_pause_ends_when_the_source_stops() -> None:
    """Nobody waits for a back-off at the end."""
    stopping = threading.Event()
    stopping.set()
    begin = time.monotonic()
    Pauses(TIMINGS, stopping).pause(60.0)
    assert time.monotonic() - begin < 10


def test_spread_times_stay_near() -> None:
    """So that replicas do not ask at the same moment."""
    pauses = Pauses(TIMINGS, threading.Event(), random.Random(1))  # noqa: S311  (jitter keeps no secret)
    found = {pauses.spread(100.0) for _ in range(20)}
    assert len(found) > 1
    assert all(80 <= seconds <= 120 for seconds in found)
    assert all(3 <= pauses.between(3, 5) <= 5 for _ in range(20))
