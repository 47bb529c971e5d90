"""Limits as values."""

from __future__ import annotations

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS, HttpLimitsInput


def test_inputs_are_keys() -> None:
    """Equal limits are one key; none at all means that streams may be idle for good."""
    assert len({HttpLimitsInput(max_streams=1), HttpLimitsInput(max_streams=1)}) == 1
    assert NO_LIMITS.stream_idle_timeout == Duration(0)
