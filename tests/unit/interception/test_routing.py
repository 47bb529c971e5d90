"""What the rules need beside them."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions
from meshctl_operator.interception.routing import setup_commands, teardown_commands

TPROXY = InterceptionOptions(mode=CaptureMode.TPROXY, tproxy_mark=5, tproxy_table=7)
ADDRESS = ("-6", "addr", "replace", "::6/128", "dev", "lo")


def test_redirection_needs_an_address_of_ipv6() -> None:
    """All of 127.0.0.0/8 is there already."""
    assert setup_commands(InterceptionOptions(), Family.IPV4) == ()
    assert setup_commands(InterceptionOptions(), Family.IPV6) == (ADDRESS,)


def test_tproxy_needs_a_route() -> None:
    """In a table of its own, for packets with the mark, in both families."""
    assert setup_commands(TPROXY, Family.IPV4) == (
        ("-4", "rule", "add", "fwmark", "5", "lookup", "7"),
        ("-4", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "7"),
    )
    assert setup_commands(TPROXY, Family.IPV6) == (
        ADDRESS,
        ("-6", "rule", "add", "fwmark", "5", "lookup", "7"),
        ("-6", "route", "add", "local", "::/0", "dev", "lo", "table", "7"),
    )


def test_everything_is_taken_away() -> None:
    """Also what another mode has left."""
    plain = replace(TPROXY, mode=CaptureMode.REDIRECT)
    assert teardown_commands(plain, Family.IPV4) == (
        ("-4", "rule", "del", "fwmark", "5", "lookup", "7"),
        ("-4", "route", "flush", "table", "7"),
    )
    assert teardown_commands(plain, Family.IPV6)[-1] == ("-6", "addr", "del", "::6/128", "dev", "lo")
