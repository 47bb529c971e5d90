"""The table ``mangle``: transparent proxying, where packets keep their addresses, and dropping of what belongs to no connection."""

from __future__ import annotations

from collections.abc import Iterator

from meshctl_operator.interception.options import CaptureMode, Family, InterceptionOptions
from meshctl_operator.interception.rules import DIVERT, DROP, INBOUND, OUTPUT, PREROUTING, TPROXY, Rule, Table, rule

_ESTABLISHED = "-m conntrack --ctstate RELATED,ESTABLISHED"


def mangle_rules(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    """Yield the rules of the table in the order in which they are added."""
    if options.drop_invalid:  # a packet outside of its window would be answered with a reset, which ends a healthy connection
        yield _rule(PREROUTING, "-m conntrack --ctstate INVALID", DROP)
        yield _rule(DROP, "", "DROP")
    if options.mode is CaptureMode.TPROXY:
        yield from _tproxy(options, family)


def _rule(chain: str, match: str, target: str) -> Rule:
    return rule(Table.MANGLE, chain, match, target)


def _tproxy(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    """Yield the rules of inbound capture by TPROXY.

    ``mark`` is on packets for Envoy, and, by its listener filter ``original_src``, on those that Envoy sends in the name of a client; the
    mark of the connection carries it to the answers. ``mark + 1`` is on what Envoy sends to the pod's own address: a call of the
    application to its own service.
    """
    mark, own = options.tproxy_mark, options.tproxy_mark + 1
    for name in options.exclude_interfaces:
        yield _rule(PREROUTING, f"-i {name}", "RETURN")
        yield _rule(OUTPUT, f"-o {name}", "RETURN")
    if options.include_inbound_ports:
        yield _rule(DIVERT, "", f"MARK --set-mark {mark}")
        yield _rule(DIVERT, "", "ACCEPT")
        yield _rule(TPROXY, f"! -d {family.loopback} -p tcp", f"TPROXY --tproxy-mark {mark}/0xffffffff --on-port {options.inbound_port}")
        yield _rule(PREROUTING, "-p tcp", INBOUND)
        yield _rule(INBOUND, f"-p tcp -m mark --mark {mark}", "RETURN")
        yield _rule(INBOUND, f"-p tcp -s {family.passthrough} -i lo", "RETURN")
        yield _rule(INBOUND, f"-p tcp -i lo -m mark ! --mark {own}", "RETURN")
        yield from _ports(options)
    yield _rule(PREROUTING, f"-p tcp -m mark --mark {mark}", "CONNMARK --save-mark")
    yield _rule(OUTPUT, f"-p tcp -o lo -m mark --mark {mark}", "RETURN")
    for kind, owners in (("uid", options.proxy_uids), ("gid", options.gids)):
        for owner in owners:
            yield _rule(OUTPUT, f"! -d {family.loopback} -p tcp -o lo -m owner --{kind}-owner {owner}", f"MARK --set-mark {own}")
    yield _rule(OUTPUT, f"-p tcp -m connmark --mark {mark}", "CONNMARK --restore-mark")


def _ports(options: InterceptionOptions) -> Iterator[Rule]:
    included = options.include_inbound_ports
    if included.everything:
        for port in options.exclude_inbound_ports:
            yield _rule(INBOUND, f"-p tcp --dport {port}", "RETURN")
        yield _rule(INBOUND, f"-p tcp {_ESTABLISHED}", DIVERT)
        yield _rule(INBOUND, "-p tcp", TPROXY)
    for port in included.ports:
        yield _rule(INBOUND, f"-p tcp --dport {port} {_ESTABLISHED}", DIVERT)
        yield _rule(INBOUND, f"-p tcp --dport {port}", TPROXY)
