"""Who has a generation of an object."""

from __future__ import annotations

from meshctl_operator.status.acknowledgements import UNHEARD, Acknowledgements


def test_lost_proxies_are_waited_for() -> None:
    """A proxy whose stream is gone for a moment should have it all the same; one that nobody expects counts for nothing."""
    said = Acknowledgements(1, frozenset({"a", "b"}), frozenset({"a", "stranger"}), lost=frozenset({"c"}))
    assert said.should_have == {"a", "b", "c"}
    assert said.have == {"a"}
    assert said.missing == {"b", "c"}


def test_nobody_was_heard() -> None:
    """At the start nothing is known of any generation."""
    assert not UNHEARD.complete
    assert not UNHEARD.should_have
