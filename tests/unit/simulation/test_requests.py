"""Connections, requests and draws."""

from __future__ import annotations

from meshctl_operator.simulation.requests import SELDOM, Draws
from meshctl_operator.simulation.traces import Share


def test_seldom_is_in_full_shares_only() -> None:
    """By default a fault happens only where it happens always, whatever the denominator."""
    for denominator in (100, 10_000, 1_000_000):
        assert Share(denominator, denominator).contains(SELDOM)
        assert not Share(denominator - 1, denominator).contains(SELDOM)
    assert Draws().abort == Draws().delay == SELDOM
