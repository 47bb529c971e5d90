"""The table of istiod's switches."""

from __future__ import annotations

from meshctl_operator.controlplane.switches import KNOWN, SUPPORTED, read_switches


def test_a_switch_is_honoured_or_only_known() -> None:
    """Never both."""
    assert not KNOWN & SUPPORTED.keys()


def test_unknown_names_are_nobody_elses_business() -> None:
    """The environment is full of other programs' variables."""
    assert read_switches({"PATH": "/bin", "PILOT_NO_SUCH_SWITCH": "1"}) == ((), ())
