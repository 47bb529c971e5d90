"""What decides the interception of a pod, and how lists of ports and ranges are read from text."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

EVERYTHING: Final = "*"
PROXY_ID: Final = "1337"
"""User and group of Envoy: what it sends is not sent to it again."""
LAST_PORT: Final = 65_535

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class InterceptionError(ValueError):
    """A port, range or interface that cannot be used; the message names the value and what is expected."""


class CaptureMode(StrEnum):
    """How inbound connections get into Envoy: with their destination rewritten, or as they are (the source address survives too)."""

    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"


class Family(StrEnum):
    """The two address families, each with tables of its own."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"

    @property
    def loopback(self) -> str:
        """The address of the machine itself."""
        return "127.0.0.1/32" if self is Family.IPV4 else "::1/128"

    @property
    def passthrough(self) -> str:
        """The source address of what Envoy hands on to the application (``upstream_bind_config`` of the inbound clusters)."""
        return "127.0.0.6/32" if self is Family.IPV4 else "::6/128"

    @property
    def everywhere(self) -> str:
        """The range of all addresses."""
        return "0.0.0.0/0" if self is Family.IPV4 else "::/0"

    @property
    def version(self) -> int:
        """The version of the protocol."""
        return 4 if self is Family.IPV4 else 6


@dataclass(frozen=True, slots=True)
class PortList:
    """Ports to include: all (``*``) or some, possibly none."""

    ports: tuple[int, ...] = ()
    everything: bool = False

    def __bool__(self) -> bool:
        """Tell whether any port is meant."""
        return self.everything or bool(self.ports)

    def __str__(self) -> str:
        """Return the text from which the list can be read."""
        return EVERYTHING if self.everything else ",".join(map(str, self.ports))


@dataclass(frozen=True, slots=True)
class RangeList:
    """Address ranges to include: all (``*``) or some, of both families, possibly none."""

    ranges: tuple[Network, ...] = ()
    everything: bool = False

    def of(self, family: Family) -> tuple[str, ...]:
        """Return the ranges of one family."""
        return ranges_of(self.ranges, family)

    @property
    def has_loopback(self) -> bool:
        """Whether a range begins on loopback: then even what stays on the machine is wanted."""
        return any(each.network_address.is_loopback for each in self.ranges)

    def __str__(self) -> str:
        """Return the text from which the list can be read."""
        return EVERYTHING if self.everything else ",".join(map(str, self.ranges))


ALL_PORTS: Final = PortList(everything=True)
ALL_RANGES: Final = RangeList(everything=True)


@dataclass(frozen=True, slots=True)
class OwnerGroups:
    """Groups whose processes are intercepted (all if ``included`` is None), and groups whose processes are not."""

    included: tuple[str, ...] | None = None
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InterceptionOptions:
    """Everything that the rules depend on; the defaults are those of a pod without annotations.

    ``proxy_gids`` follows ``proxy_uids`` where it is not given. ``dns_servers`` are those of the pod's resolv.conf and matter with
    ``redirect_dns`` alone.
    """

    mode: CaptureMode = CaptureMode.REDIRECT
    outbound_port: int = 15001
    inbound_port: int = 15006
    tunnel_port: int = 15008
    proxy_uids: tuple[str, ...] = (PROXY_ID,)
    proxy_gids: tuple[str, ...] | None = None
    include_inbound_ports: PortList = ALL_PORTS
    exclude_inbound_ports: tuple[int, ...] = ()
    include_outbound_ranges: RangeList = ALL_RANGES
    exclude_outbound_ranges: tuple[Network, ...] = ()
    include_outbound_ports: tuple[int, ...] = ()
    exclude_outbound_ports: tuple[int, ...] = ()
    virtual_interfaces: tuple[str, ...] = ()
    exclude_interfaces: tuple[str, ...] = ()
    owner_groups: OwnerGroups = OwnerGroups()
    redirect_dns: bool = False
    capture_all_dns: bool = False
    dns_servers: tuple[Address, ...] = ()
    dns_port: int = 15053
    drop_invalid: bool = False
    tproxy_mark: int = 1337
    tproxy_table: int = 133

    @property
    def gids(self) -> tuple[str, ...]:
        """The groups of Envoy."""
        return self.proxy_uids if self.proxy_gids is None else self.proxy_gids

    @property
    def captures_dns(self) -> bool:
        """Whether queries are captured: asked for, and known where they would go."""
        return self.redirect_dns and (self.capture_all_dns or bool(self.dns_servers))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of what was asked for, in sentences."""
        if self.redirect_dns and not self.captures_dns:
            return ("DNS is not captured: there is no DNS server to capture it from; --capture-all-dns captures every query",)
        return ()


def ranges_of(ranges: tuple[Network, ...], family: Family) -> tuple[str, ...]:
    """Return the ranges of one family as text."""
    return tuple(str(each) for each in ranges if each.version == family.version)


def words(text: str) -> tuple[str, ...]:
    """Split a comma-separated list; spaces and empty parts do not count."""
    return tuple(stripped for part in text.split(",") if (stripped := part.strip()))


def read_port(text: str) -> int:
    """Read one port. Raises InterceptionError for anything but 0 to 65535."""
    stripped = text.strip()
    if not (stripped.isascii() and stripped.isdigit()) or int(stripped) > LAST_PORT:
        raise InterceptionError(f'"{text}" is not a port: a number from 0 to {LAST_PORT} is expected')
    return int(stripped)


def read_ports(text: str) -> tuple[int, ...]:
    """Read ``80,443``. Raises InterceptionError; ``*`` is no port."""
    return tuple(dict.fromkeys(read_port(word) for word in words(text)))


def read_port_list(text: str) -> PortList:
    """Read ``*`` or ``80,443`` or nothing."""
    return ALL_PORTS if text.strip() == EVERYTHING else PortList(read_ports(text))


def read_range(text: str) -> Network:
    """Read ``10.0.0.0/8``; host bits are cut off, an address alone is a range of one. Raises InterceptionError."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise InterceptionError(f'"{text}" is not an address range: CIDR notation such as 10.0.0.0/8 is expected') from None


def read_ranges(text: str) -> tuple[Network, ...]:
    """Read ``10.0.0.0/8,fd00::/8``. Raises InterceptionError; ``*`` is no range."""
    return tuple(dict.fromkeys(read_range(word) for word in words(text)))


def read_range_list(text: str) -> RangeList:
    """Read ``*`` or a list of ranges or nothing."""
    return ALL_RANGES if text.strip() == EVERYTHING else RangeList(read_ranges(text))


_INTERFACE_LENGTH: Final = 15  # IFNAMSIZ of Linux without the closing zero


def read_interfaces(text: str) -> tuple[str, ...]:
    """Read ``eth1,net1``. Raises InterceptionError for what the kernel takes for no interface name."""
    names = words(text)
    for name in names:
        if len(name) > _INTERFACE_LENGTH or any(sign.isspace() or sign in "/:\"'" or not sign.isprintable() for sign in name):
            raise InterceptionError(
                f'"{name}" is not an interface name: at most {_INTERFACE_LENGTH} characters without space, / and : are expected'
            )
    return names


_ID_SIGNS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def read_owners(text: str) -> tuple[str, ...]:
    """Read ids or names of users or groups, such as ``1337`` or ``java``. Raises InterceptionError."""
    names = words(text)
    for name in names:
        if not set(name) <= _ID_SIGNS or name.startswith("-"):
            raise InterceptionError(f'"{name}" is neither an id nor a name of a user or group')
    return names


_MOST_GROUPS: Final = 64  # each is a match of its own, and all of them stand in one rule


def read_owner_groups(included: str, excluded: str) -> OwnerGroups:
    """Read the two lists of groups; ``*`` or nothing includes everybody. Raises InterceptionError if both name groups."""
    only = None if included.strip() in ("", EVERYTHING) else read_owners(included)
    but = read_owners(excluded)
    if only is not None and but:
        raise InterceptionError("groups are either included or excluded, not both")
    if max(len(only or ()), len(but)) > _MOST_GROUPS:
        raise InterceptionError(f"at most {_MOST_GROUPS} groups can be named")
    return OwnerGroups(only, but)
