"""What decides the interception of a pod."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshctl_operator.interception.options import (
    Family,
    InterceptionError,
    InterceptionOptions,
    OwnerGroups,
    PortList,
    RangeList,
    read_interfaces,
    read_owner_groups,
    read_owners,
    read_port,
    read_port_list,
    read_ports,
    read_range_list,
    read_ranges,
    words,
)


def test_words() -> None:
    """Spaces and empty parts do not count."""
    assert words(" a, b,,c ,") == ("a", "b", "c")
    assert words("") == ()


@pytest.mark.parametrize(("text", "port"), [("0", 0), ("80", 80), (" 65535 ", 65535)])
def test_ports_are_numbers_of_sixteen_bits(text: str, port: int) -> None:
    """All of them, also 0, which charts write for "none"."""
    assert read_port(text) == port


@pytest.mark.parametrize("text", ["65536", "-1", "http", "", "8 0", "٣"])
def test_other_ports_are_refused(text: str) -> None:
    """The message has the value."""
    with pytest.raises(InterceptionError, match="is not a port"):
        read_port(text)


def test_lists_of_ports() -> None:
    """Doubles are dropped; ``*`` is everything where a list of all makes sense, and nowhere else."""
    assert read_ports("80,443, 80") == (80, 443)
    assert read_port_list("*") == PortList(everything=True)
    assert read_port_list("80") == PortList((80,))
    assert not read_port_list("")
    assert [str(read_port_list(text)) for text in ("*", "80, 443", "")] == ["*", "80,443", ""]
    with pytest.raises(InterceptionError):
        read_ports("*")


def test_lists_of_ranges() -> None:
    """Host bits are cut off, an address is a range of one, and the families are told apart."""
    ranges = RangeList(read_ranges("10.1.2.3/8, fd00::/8,192.0.2.1"))
    assert ranges.of(Family.IPV4) == ("10.0.0.0/8", "192.0.2.1/32")
    assert ranges.of(Family.IPV6) == ("fd00::/8",)
    assert str(ranges) == "10.0.0.0/8,fd00::/8,192.0.2.1/32"
    assert read_range_list(" * ") == RangeList(everything=True)
    assert str(read_range_list("*")) == "*"


@pytest.mark.parametrize("text", ["10.0.0.0/33", "reviews", "*,10.0.0.0/8", "10.0.0.0/8/8"])
def test_other_ranges_are_refused(text: str) -> None:
    """The message says what is expected."""
    with pytest.raises(InterceptionError, match="CIDR"):
        read_range_list(text)


@pytest.mark.parametrize(
    ("text", "inside"), [("127.0.0.1/32", True), ("127.0.0.0/8", True), ("::1/128", True), ("10.0.0.0/8", False), ("*", False)]
)
def test_loopback_must_be_named(text: str, *, inside: bool) -> None:
    """``*`` does not mean what stays on the machine."""
    assert read_range_list(text).has_loopback is inside


def test_interfaces() -> None:
    """Names as the kernel takes them."""
    assert read_interfaces("eth1, net1.10") == ("eth1", "net1.10")


@pytest.mark.parametrize("text", ["averylonginterface", "a b", "a/b", "a:b", 'a"b'])
def test_other_interfaces_are_refused(text: str) -> None:
    """What could be read as more than a name would be part of a command."""
    with pytest.raises(InterceptionError, match="is not an interface name"):
        read_interfaces(text)


@pytest.mark.parametrize(("reader", "text"), [(read_owners, "13 37"), (read_owners, "-j"), (read_owners, "a;b")])
def test_owners_are_ids_or_names(reader: Callable[[str], object], text: str) -> None:
    """And nothing that iptables would read as an option."""
    with pytest.raises(InterceptionError, match="neither an id nor a name"):
        reader(text)


def test_owner_groups() -> None:
    """Everybody, some, or everybody but some."""
    assert read_owner_groups("*", "") == read_owner_groups("", "") == OwnerGroups()
    assert read_owner_groups("java,202", "") == OwnerGroups(("java", "202"))
    assert read_owner_groups("*", "java") == OwnerGroups(None, ("java",))
    with pytest.raises(InterceptionError, match="not both"):
        read_owner_groups("a", "b")
    with pytest.raises(InterceptionError, match="at most 64"):
        read_owner_groups("*", ",".join(f"g{number}" for number in range(65)))


def test_groups_follow_users() -> None:
    """Unless they are given, be it none."""
    assert InterceptionOptions(proxy_uids=("7", "8")).gids == ("7", "8")
    assert InterceptionOptions(proxy_uids=("7",), proxy_gids=()).gids == ()


def test_dns_without_servers_is_not_captured() -> None:
    """It would not be known where from, and a note says so."""
    unknown = InterceptionOptions(redirect_dns=True)
    assert not unknown.captures_dns
    assert "--capture-all-dns" in unknown.notes[0]
    everything = InterceptionOptions(redirect_dns=True, capture_all_dns=True)
    assert everything.captures_dns
    assert everything.notes == ()
    assert not InterceptionOptions(capture_all_dns=True).captures_dns


def test_families() -> None:
    """Each has its own loopback and its own source address of what Envoy hands on."""
    assert [(family.loopback, family.passthrough, family.everywhere, family.version) for family in Family] == [
        ("127.0.0.1/32", "127.0.0.6/32", "0.0.0.0/0", 4),
        ("::1/128", "::6/128", "::/0", 6),
    ]
