"""DNS capture."""

from __future__ import annotations

from ipaddress import ip_address

from meshctl_operator.interception.dns import dns_rules
from meshctl_operator.interception.options import Family, InterceptionOptions
from meshctl_operator.interception.rules import Table

SERVERS = InterceptionOptions(redirect_dns=True, dns_servers=(ip_address("10.96.0.10"), ip_address("fd00::10")))


def lines(options: InterceptionOptions, table: Table, family: Family = Family.IPV4) -> list[str]:
    """Return the rules of one table as text."""
    return [str(rule) for rule in dns_rules(options, family) if rule.table is table]


def test_nothing_is_captured_unasked() -> None:
    """Nor where there is no server."""
    assert list(dns_rules(InterceptionOptions(dns_servers=SERVERS.dns_servers), Family.IPV4)) == []
    assert list(dns_rules(InterceptionOptions(redirect_dns=True), Family.IPV4)) == []


def test_queries_are_redirected() -> None:
    """Those to the servers of resolv.conf, by both protocols."""
    assert lines(SERVERS, Table.NAT) == [
        "-A ISTIO_OUTPUT_DNS -p tcp --dport 53 -d 10.96.0.10/32 -j REDIRECT --to-ports 15053",
        "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -d 10.96.0.10/32 -j REDIRECT --to-ports 15053",
    ]
    assert [line.split()[7] for line in lines(SERVERS, Table.NAT, Family.IPV6)] == ["fd00::10/128"] * 2


def test_zones_keep_queries_apart() -> None:
    """Zone 1 is between resolver and servers, zone 2 between application and resolver."""
    assert lines(SERVERS, Table.RAW) == [
        "-A OUTPUT -j ISTIO_OUTPUT_DNS",
        "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -m owner --uid-owner 1337 -j CT --zone 1",
        "-A ISTIO_OUTPUT_DNS -p udp --sport 15053 -m owner --uid-owner 1337 -j CT --zone 2",
        "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -m owner --gid-owner 1337 -j CT --zone 1",
        "-A ISTIO_OUTPUT_DNS -p udp --sport 15053 -m owner --gid-owner 1337 -j CT --zone 2",
        "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -d 10.96.0.10/32 -j CT --zone 2",
        "-A PREROUTING -j ISTIO_INBOUND",
        "-A ISTIO_INBOUND -p udp --sport 53 -s 10.96.0.10/32 -j CT --zone 1",
    ]


def test_any_server() -> None:
    """Capturing everything names no server, in either family."""
    everything = InterceptionOptions(redirect_dns=True, capture_all_dns=True)
    for family in Family:
        assert lines(everything, Table.NAT, family) == [
            "-A ISTIO_OUTPUT_DNS -p tcp --dport 53 -j REDIRECT --to-ports 15053",
            "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -j REDIRECT --to-ports 15053",
        ]
        assert lines(everything, Table.RAW, family)[-3:] == [
            "-A ISTIO_OUTPUT_DNS -p udp --dport 53 -j CT --zone 2",
            "-A PREROUTING -j ISTIO_INBOUND",
            "-A ISTIO_INBOUND -p udp --sport 53 -j CT --zone 1",
        ]
