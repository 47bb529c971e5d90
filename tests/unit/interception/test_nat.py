"""The table ``nat``, rule by rule in the order of the specification (rows 1 to 23)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from meshctl_operator.interception.nat import nat_rules
from meshctl_operator.interception.options import (
    CaptureMode,
    Family,
    InterceptionOptions,
    OwnerGroups,
    PortList,
    RangeList,
    read_ranges,
)

DEFAULT = InterceptionOptions()
DNS = replace(DEFAULT, redirect_dns=True, dns_servers=(ip_address("10.96.0.10"),))
L = {Family.IPV4: "127.0.0.1/32", Family.IPV6: "::1/128"}
M = {Family.IPV4: "127.0.0.6/32", Family.IPV6: "::6/128"}


def lines(options: InterceptionOptions, family: Family = Family.IPV4) -> list[str]:
    """Return the rules as text."""
    return [str(rule) for rule in nat_rules(options, family)]


def added(options: InterceptionOptions) -> list[str]:
    """Return the rules that the options have and the default does not."""
    usual = lines(DEFAULT)
    return [line for line in lines(options) if line not in usual]


def follows(options: InterceptionOptions, *expected: str) -> bool:
    """Tell whether the rules contain the expected ones as one run."""
    shown = lines(options)
    return any(tuple(shown[start : start + len(expected)]) == expected for start in range(len(shown)))


@pytest.mark.parametrize("family", Family)
def test_a_pod_without_annotations(family: Family) -> None:
    """Rows 3 to 6, 8, 9, 11 to 17, 20 and 23, for both families."""
    loop, passthrough = L[family], M[family]
    assert lines(DEFAULT, family) == [
        "-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN",
        "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001",
        "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006",
        "-A PREROUTING -p tcp -j ISTIO_INBOUND",
        "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
        "-A OUTPUT -j ISTIO_OUTPUT",
        f"-A ISTIO_OUTPUT -o lo -s {passthrough} -j RETURN",
        f"-A ISTIO_OUTPUT -o lo ! -d {loop} -p tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_OUTPUT -o lo -m owner ! --uid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
        f"-A ISTIO_OUTPUT -o lo ! -d {loop} -p tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_OUTPUT -o lo -m owner ! --gid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
        f"-A ISTIO_OUTPUT -d {loop} -j RETURN",
        "-A ISTIO_OUTPUT -j ISTIO_REDIRECT",
    ]


def test_row_1_excluded_interfaces() -> None:
    """They come first, in both directions."""
    shown = lines(replace(DEFAULT, exclude_interfaces=("eth1", "eth2")))
    assert shown[:4] == [
        f"-A {chain} {way} {name} -j RETURN" for name in ("eth1", "eth2") for chain, way in (("PREROUTING", "-i"), ("OUTPUT", "-o"))
    ]
    assert shown[4:] == lines(DEFAULT)


def test_row_2_virtual_interfaces() -> None:
    """A guest's traffic is never inbound, and outbound where everything is: the later of two inserted rules stands first."""
    shown = lines(replace(DEFAULT, virtual_interfaces=("net1",), exclude_interfaces=("eth1",)))
    assert shown[2] == "-I PREROUTING 1 -i net1 -j RETURN"
    assert shown[-1] == "-I PREROUTING 1 -i net1 -j ISTIO_REDIRECT"
    assert shown[-2] == "-A ISTIO_OUTPUT -j ISTIO_REDIRECT"


def test_virtual_interfaces_with_ranges() -> None:
    """Where some destinations are included, a guest is intercepted on its way to these."""
    shown = lines(replace(DEFAULT, virtual_interfaces=("net1",), include_outbound_ranges=RangeList(read_ranges("10.0.0.0/8"))))
    assert "-I PREROUTING 1 -i net1 -d 10.0.0.0/8 -j ISTIO_REDIRECT" in shown
    assert "-I PREROUTING 1 -i net1 -j ISTIO_REDIRECT" not in shown


def test_rows_3_to_5_ports() -> None:
    """The three ports of Envoy."""
    shown = lines(replace(DEFAULT, tunnel_port=1, outbound_port=2, inbound_port=3))
    assert shown[:3] == [
        "-A ISTIO_INBOUND -p tcp --dport 1 -j RETURN",
        "-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 2",
        "-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 3",
    ]


def test_row_6_nothing_inbound() -> None:
    """Without inbound ports the chain is never entered."""
    shown = lines(replace(DEFAULT, include_inbound_ports=PortList(), exclude_inbound_ports=(80,)))
    assert not [line for line in shown if line.startswith("-A PREROUTING")]
    assert "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT" not in shown
    assert not [line for line in shown if "--dport 80 " in line]


def test_row_7_excluded_inbound_ports() -> None:
    """They return before everything is redirected."""
    assert follows(
        replace(DEFAULT, exclude_inbound_ports=(15090, 15021)),
        "-A PREROUTING -p tcp -j ISTIO_INBOUND",
        "-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN",
        "-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN",
        "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT",
    )


def test_row_8_some_inbound_ports() -> None:
    """Ports that are listed are redirected one by one; excluding others says nothing then."""
    options = replace(DEFAULT, include_inbound_ports=PortList((80, 81)), exclude_inbound_ports=(80,))
    assert added(options) == [
        "-A ISTIO_INBOUND -p tcp --dport 80 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_INBOUND -p tcp --dport 81 -j ISTIO_IN_REDIRECT",
    ]
    assert "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT" not in lines(options)


def test_row_10_excluded_outbound_ports() -> None:
    """Both protocols, and before calls to oneself are looked at."""
    assert follows(
        replace(DEFAULT, exclude_outbound_ports=(3306,)),
        "-A OUTPUT -j ISTIO_OUTPUT",
        "-A ISTIO_OUTPUT -p tcp --dport 3306 -j RETURN",
        "-A ISTIO_OUTPUT -p udp --dport 3306 -j RETURN",
        "-A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN",
    )


def test_rows_12_to_17_every_owner() -> None:
    """Three rules for each user, then three for each group."""
    shown = [line for line in lines(replace(DEFAULT, proxy_uids=("1", "2"), proxy_gids=("3",))) if "owner" in line]
    assert [line.split("-owner ")[1].split()[0] for line in shown] == ["1", "1", "1", "2", "2", "2", "3", "3", "3"]
    assert [line.split("--")[-1].split("-")[0] for line in shown] == ["uid"] * 6 + ["gid"] * 3


@pytest.mark.parametrize("loopback", ["127.0.0.1/32", "127.0.0.0/8", "::1/128"])
def test_rows_13_and_16_loopback_included(loopback: str) -> None:
    """Who includes loopback wants even what stays on the machine, in both families."""
    for family in Family:
        shown = lines(replace(DEFAULT, include_outbound_ranges=RangeList(read_ranges(loopback))), family)
        assert not [line for line in shown if "owner !" in line]
        assert f"-A ISTIO_OUTPUT -o lo ! -d {L[family]} -p tcp ! --dport 15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT" in shown


def test_rows_12_to_19_with_dns() -> None:
    """Queries to a resolver on the machine are no calls to oneself (but rule 15 knows no such exception), and the DNS chain follows."""
    assert follows(
        DNS,
        "-A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m multiport ! --dports 53,15008 -m owner --uid-owner 1337 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_OUTPUT -o lo -p tcp ! --dport 53 -m owner ! --uid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -m owner --uid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner --gid-owner 1337 -j ISTIO_IN_REDIRECT",
        "-A ISTIO_OUTPUT -o lo -p tcp ! --dport 53 -m owner ! --gid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN",
        "-A ISTIO_OUTPUT -j ISTIO_OUTPUT_DNS",
        "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
    )


def test_dns_without_servers_changes_nothing() -> None:
    """What is not captured needs no exceptions."""
    assert lines(replace(DEFAULT, redirect_dns=True)) == lines(DEFAULT)


def test_row_18_owner_groups() -> None:
    """Included groups: who is in none of them is let through. Excluded ones: who is in one of them is."""
    owner = "-A ISTIO_OUTPUT -m owner --gid-owner 1337 -j RETURN"
    some = replace(DEFAULT, owner_groups=OwnerGroups(("java", "202")))
    assert follows(some, owner, "-A ISTIO_OUTPUT -m owner ! --gid-owner java -m owner ! --gid-owner 202 -j RETURN")
    but = replace(DEFAULT, owner_groups=OwnerGroups(None, ("java", "202")))
    assert follows(
        but,
        owner,
        "-A ISTIO_OUTPUT -m owner --gid-owner java -j RETURN",
        "-A ISTIO_OUTPUT -m owner --gid-owner 202 -j RETURN",
        "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN",
    )


def test_rows_20_to_23_destinations() -> None:
    """Loopback, excluded ranges, included ports, included ranges, each family its own."""
    options = replace(
        DEFAULT,
        exclude_outbound_ranges=read_ranges("10.9.0.0/16,fd09::/16"),
        include_outbound_ports=(443,),
        include_outbound_ranges=RangeList(read_ranges("10.0.0.0/8,fd00::/8")),
    )
    for family, excluded, included in ((Family.IPV4, "10.9.0.0/16", "10.0.0.0/8"), (Family.IPV6, "fd09::/16", "fd00::/8")):
        assert lines(options, family)[-4:] == [
            f"-A ISTIO_OUTPUT -d {L[family]} -j RETURN",
            f"-A ISTIO_OUTPUT -d {excluded} -j RETURN",
            "-A ISTIO_OUTPUT -p tcp --dport 443 -j ISTIO_REDIRECT",
            f"-A ISTIO_OUTPUT -d {included} -j ISTIO_REDIRECT",
        ]


def test_row_23_nothing_included() -> None:
    """An empty list captures nothing outbound."""
    shown = lines(replace(DEFAULT, include_outbound_ranges=RangeList()))
    assert shown == lines(DEFAULT)[:-1]


def test_tproxy_leaves_inbound_to_another_table() -> None:
    """Outbound stays here."""
    assert lines(replace(DEFAULT, mode=CaptureMode.TPROXY)) == [
        line for line in lines(DEFAULT) if "PREROUTING" not in line and line != "-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT"
    ]
