"""What the rules need beside them, as arguments of ``ip``: an address on loopback, and a route for packets that are marked."""

from __future__ import annotations

from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions

Commands = tuple[tuple[str, ...], ...]


def setup_commands(options: InterceptionOptions, family: Family) -> Commands:
    """Return the commands to run when the rules are in place.

    All of 127.0.0.0/8 is on loopback anyway, but of IPv6 only ``::1`` is: the source address of what Envoy hands on has to be added.
    With TPROXY, packets that are marked are delivered to the machine itself, wherever they were going.
    """
    commands: Commands = ()
    version = f"-{family.version}"
    if family is Family.IPV6:
        commands += ((version, "addr", "replace", family.passthrough, "dev", "lo"),)
    if options.mode is CaptureMode.TPROXY:
        mark, table = str(options.tproxy_mark), str(options.tproxy_table)
        commands += (
            (version, "rule", "add", "fwmark", mark, "lookup", table),
            (version, "route", "add", "local", family.everywhere, "dev", "lo", "table", table),
        )
    return commands


def teardown_commands(options: InterceptionOptions, family: Family) -> Commands:
    """Return the commands that take all of it away, whether it is there or not: each may fail."""
    version, mark, table = f"-{family.version}", str(options.tproxy_mark), str(options.tproxy_table)
    commands: Commands = (
        (version, "rule", "del", "fwmark", mark, "lookup", table),
        (version, "route", "flush", "table", table),
    )
    if family is Family.IPV6:
        commands += ((version, "addr", "del", family.passthrough, "dev", "lo"),)
    return commands
