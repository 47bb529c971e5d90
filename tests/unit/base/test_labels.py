"""Selectors are subsets of labels."""

from __future__ import annotations

from meshctl_operator.base.labels import freeze, selects


def test_freeze_sorts() -> None:
    """Equal maps give equal tuples whatever their order; none is empty."""
    assert freeze({"b": "2", "a": "1"}) == freeze({"a": "1", "b": "2"}) == (("a", "1"), ("b", "2"))
    assert freeze(None) == ()


def test_selects() -> None:
    """Every pair must be there; the empty selector selects everything."""
    assert selects({}, {"app": "x"})
    assert selects({"app": "x"}, {"app": "x", "version": "v1"})
    assert not selects({"app": "x"}, {"app": "y"})
    assert not selects({"app": "x"}, {})
