"""The table ``nat``: which connections are redirected into Envoy, and which are left alone."""

from __future__ import annotations

from collections.abc import Iterator

from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions, ranges_of
from meshctl_operator.interception.rules import DNS, IN_REDIRECT, INBOUND, OUTBOUND, OUTPUT, PREROUTING, REDIRECT, Rule, Table, rule


def nat_rules(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    """Yield the rules of the table in the order in which they are added."""
    yield from _interfaces(options)
    yield _rule(INBOUND, f"-p tcp --dport {options.tunnel_port}", "RETURN")
    yield _rule(REDIRECT, "-p tcp", f"REDIRECT --to-ports {options.outbound_port}")
    yield _rule(IN_REDIRECT, "-p tcp", f"REDIRECT --to-ports {options.inbound_port}")
    if options.mode is CaptureMode.REDIRECT:
        yield from _inbound(options)
    yield _rule(OUTPUT, "", OUTBOUND)
    for port in options.exclude_outbound_ports:
        yield _rule(OUTBOUND, f"-p tcp --dport {port}", "RETURN")
        yield _rule(OUTBOUND, f"-p udp --dport {port}", "RETURN")
    yield _rule(OUTBOUND, f"-o lo -s {family.passthrough}", "RETURN")
    yield from _owners(options, family)
    yield from _owner_groups(options)
    if options.captures_dns:
        yield _rule(OUTBOUND, "", DNS)
    yield _rule(OUTBOUND, f"-d {family.loopback}", "RETURN")
    yield from _destinations(options, family)


def _rule(chain: str, match: str, target: str, *, position: int | None = None) -> Rule:
    return rule(Table.NAT, chain, match, target, position=position)


def _interfaces(options: InterceptionOptions) -> Iterator[Rule]:
    """Yield what keeps whole interfaces out of it. A virtual interface gets the traffic of a guest: that is outbound, never inbound."""
    for name in options.exclude_interfaces:
        yield _rule(PREROUTING, f"-i {name}", "RETURN")
        yield _rule(OUTPUT, f"-o {name}", "RETURN")
    for name in options.virtual_interfaces:
        yield _rule(PREROUTING, f"-i {name}", "RETURN", position=1)


def _inbound(options: InterceptionOptions) -> Iterator[Rule]:
    included = options.include_inbound_ports
    if not included:
        return
    yield _rule(PREROUTING, "-p tcp", INBOUND)
    if included.everything:
        for port in options.exclude_inbound_ports:
            yield _rule(INBOUND, f"-p tcp --dport {port}", "RETURN")
        yield _rule(INBOUND, "-p tcp", IN_REDIRECT)
    for port in included.ports:
        yield _rule(INBOUND, f"-p tcp --dport {port}", IN_REDIRECT)


def _owners(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    """Yield what Envoy's own connections, and those of the application to itself, are let do.

    What Envoy sends to the machine under another address than loopback is a call of the application to its own service: it goes back in
    as inbound traffic. With DNS capture, queries to a resolver on the machine are no such call.
    """
    dns = options.captures_dns
    tunnel = f"-p tcp ! --dport {options.tunnel_port}"
    tunnel_and_dns = f"-p tcp -m multiport ! --dports 53,{options.tunnel_port}" if dns else tunnel
    not_dns = "-p tcp ! --dport 53 " if dns else ""
    for kind, owners, to_itself in (("uid", options.proxy_uids, tunnel_and_dns), ("gid", options.gids, tunnel)):
        for owner in owners:
            yield _rule(OUTBOUND, f"-o lo ! -d {family.loopback} {to_itself} -m owner --{kind}-owner {owner}", IN_REDIRECT)
            if not options.include_outbound_ranges.has_loopback:
                yield _rule(OUTBOUND, f"-o lo {not_dns}-m owner ! --{kind}-owner {owner}", "RETURN")
            yield _rule(OUTBOUND, f"-m owner --{kind}-owner {owner}", "RETURN")


def _owner_groups(options: InterceptionOptions) -> Iterator[Rule]:
    groups = options.owner_groups
    if groups.included is not None:
        yield _rule(OUTBOUND, " ".join(f"-m owner ! --gid-owner {group}" for group in groups.included), "RETURN")
    for group in groups.excluded:
        yield _rule(OUTBOUND, f"-m owner --gid-owner {group}", "RETURN")


def _destinations(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    for excluded in ranges_of(options.exclude_outbound_ranges, family):
        yield _rule(OUTBOUND, f"-d {excluded}", "RETURN")
    for port in options.include_outbound_ports:
        yield _rule(OUTBOUND, f"-p tcp --dport {port}", REDIRECT)
    included = options.include_outbound_ranges
    if included.everything:
        yield _rule(OUTBOUND, "", REDIRECT)
        for name in options.virtual_interfaces:
            yield _rule(PREROUTING, f"-i {name}", REDIRECT, position=1)
        return
    for destination in included.of(family):
        for name in options.virtual_interfaces:
            yield _rule(PREROUTING, f"-i {name} -d {destination}", REDIRECT, position=1)
        yield _rule(OUTBOUND, f"-d {destination}", REDIRECT)
