"""One rule as a value."""

from __future__ import annotations

from meshctl_operator.interception.rules import Table, rule


def test_rules_are_lines() -> None:
    """As ``iptables-restore`` reads them, at the end of a chain or at a position."""
    last = rule(Table.NAT, "OUTPUT", "-p tcp --dport 1", "REDIRECT --to-ports 2")
    assert str(last) == "-A OUTPUT -p tcp --dport 1 -j REDIRECT --to-ports 2"
    assert last.target == "REDIRECT"
    first = rule(Table.NAT, "PREROUTING", "", "RETURN", position=1)
    assert str(first) == "-I PREROUTING 1 -j RETURN"
