"""Markers of fields that are not compiled."""

from __future__ import annotations

from meshctl_operator.apis.support import ValidatedOnly, validated_only


def test_markers() -> None:
    """A marker holds for the field, or for the values that are listed."""
    assert validated_only("nothing happens") == ValidatedOnly("nothing happens", frozenset())
    assert validated_only("nothing happens", "A", "B").values == {"A", "B"}
