"""The system clock is the one of the operating system."""

from __future__ import annotations

import time

from meshctl_operator.base.clock import SystemClock


def test_both_times_go_on() -> None:
    """Monotonic time never goes back; wall time is that of the system."""
    clock = SystemClock()
    assert clock.monotonic() <= clock.monotonic()
    assert abs(clock.time() - time.time()) < 60
