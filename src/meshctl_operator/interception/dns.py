"""DNS capture: queries go to a resolver in the pod, and the resolver's own queries do not.

The kernel tracks UDP by addresses and ports alone, and the query of an application and the one that the resolver sends for it may have
the same. So each kind is tracked in a zone of its own (table ``raw``): zone 1 between the resolver and the servers, zone 2 between the
application and the resolver.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshctl_operator.interception.options import Family, InterceptionOptions
from meshctl_operator.interception.rules import DNS, INBOUND, OUTPUT, PREROUTING, Rule, Table, rule


def dns_rules(options: InterceptionOptions, family: Family) -> Iterator[Rule]:
    """Yield the rules of DNS capture, those of the table ``nat`` first; none where nothing is captured."""
    if not options.captures_dns:
        return
    captured = _destinations(options, family)
    for to_server in captured:
        for protocol in ("tcp", "udp"):
            match = f"-p {protocol} --dport 53{_with('-d', to_server)}"
            yield rule(Table.NAT, DNS, match, f"REDIRECT --to-ports {options.dns_port}")
    yield rule(Table.RAW, OUTPUT, "", DNS)
    for kind, owners in (("uid", options.proxy_uids), ("gid", options.gids)):
        for owner in owners:
            yield rule(Table.RAW, DNS, f"-p udp --dport 53 -m owner --{kind}-owner {owner}", "CT --zone 1")
            yield rule(Table.RAW, DNS, f"-p udp --sport {options.dns_port} -m owner --{kind}-owner {owner}", "CT --zone 2")
    for server in captured:
        yield rule(Table.RAW, DNS, f"-p udp --dport 53{_with('-d', server)}", "CT --zone 2")
    yield rule(Table.RAW, PREROUTING, "", INBOUND)
    for server in captured:
        yield rule(Table.RAW, INBOUND, f"-p udp --sport 53{_with('-s', server)}", "CT --zone 1")


def _destinations(options: InterceptionOptions, family: Family) -> tuple[str, ...]:
    """Return the servers of the family whose queries are captured; an empty text stands for any server."""
    if options.capture_all_dns:
        return ("",)
    return tuple(f"{server}/{server.max_prefixlen}" for server in options.dns_servers if server.version == family.version)


def _with(option: str, server: str) -> str:
    return f" {option} {server}" if server else ""
