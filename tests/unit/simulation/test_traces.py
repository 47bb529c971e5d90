"""What a simulation tells."""

from __future__ import annotations

from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.traces import Forwarded, HeaderChange, Share, Stage, Trial


def test_a_trial_without_reason_matched() -> None:
    """A reason says that something did not fit."""
    assert Trial(Stage.ROUTE, "a").matched
    assert not Trial(Stage.ROUTE, "a", "too late").matched


def test_shares() -> None:
    """A share contains the numbers below its numerator, modulo its denominator."""
    assert Share(30, 100).contains(129)
    assert not Share(30, 100).contains(130)
    assert Share(300_000, 1_000_000).percent == 30


def test_forwarded_shows_host_and_path() -> None:
    """What the upstream sees as host and path are the pseudo headers."""
    sent = Forwarded("c", Headers.of(((":authority", "a"), (":path", "/b?c"))))
    assert (sent.authority, sent.path) == ("a", "/b?c")


def test_header_changes_remove_first() -> None:
    """Headers are removed, then overwritten, then added."""
    change = HeaderChange(("x",), (("y", "1"),), (("x", "2"), ("y", "3")))
    assert change.applied(Headers.of((("x", "0"), ("y", "0")))).entries == (("y", "1"), ("x", "2"), ("y", "3"))
