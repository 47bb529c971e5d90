"""The packet filter of this network namespace: what is in it, and replacing what is ours. The rules themselves come from ``interception``."""

from __future__ import annotations

import fcntl
import ipaddress
import shutil
import socket
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.interception.options import Address, Family, InterceptionOptions
from meshctl_operator.interception.plan import plan_rules
from meshctl_operator.interception.restore import render, render_removal
from meshctl_operator.interception.routing import setup_commands, teardown_commands

_COMMANDS: Final = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_LOCK_SECONDS: Final = "10"  # another writer of the tables is waited for
_SECONDS: Final = 60.0
_CAP_NET_ADMIN: Final = 12
_SIOCGIFADDR: Final = 0x8915
_IFREQ: Final = struct.Struct("16sH2s4s8x")  # name, family, port, address


def put(options: InterceptionOptions, families: Sequence[Family]) -> dict[Family, int]:
    """Put the rules of some families in place of what of ours is there; returns how many rules each has. Raises MeshctlError."""
    _check(families)
    counts = {}
    for family in usable_families():
        if family not in families:
            _remove(options, family)
    for family in families:
        rules = plan_rules(options, family)
        _restore(family, render(rules, _save(family)))
        _unroute(options, family)
        for command in setup_commands(options, family):
            _run(("ip", *command))
        counts[family] = len(rules)
    return counts


def take_away(options: InterceptionOptions) -> bool:
    """Take away whatever of ours is there, in both families; tells whether there was something. Raises MeshctlError."""
    _check((Family.IPV4,))
    found = [_remove(options, family) for family in usable_families()]
    return any(found)


def _remove(options: InterceptionOptions, family: Family) -> bool:
    text = render_removal(_save(family))
    if text:
        _restore(family, text)
    _unroute(options, family)
    return bool(text)


def usable_families(ipv6: Path = Path("/proc/net/if_inet6")) -> tuple[Family, ...]:
    """Return the families that may have rules here: IPv6 needs its command and a kernel that speaks it."""
    with_ipv6 = ipv6.exists() and shutil.which(f"{_COMMANDS[Family.IPV6]}-save") is not None
    return (Family.IPV4, Family.IPV6) if with_ipv6 else (Family.IPV4,)


def pod_families() -> tuple[Family, ...]:
    """Return the families that are intercepted unless somebody says so: IPv4, and IPv6 where a pod has no other address.

    A pod with both says ``--dual-stack``, as its Envoy has to know as well.
    """
    if not _ipv4_addresses() and _ipv6_addresses():
        return (Family.IPV4, Family.IPV6)
    return (Family.IPV4,)


def resolvers(path: Path = Path("/etc/resolv.conf")) -> tuple[Address, ...]:
    """Return the DNS servers that a resolv.conf names; none if it cannot be read. Zones of link-local addresses are left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    found: list[Address] = []
    for line in lines:
        match line.split():
            case ["nameserver", server, *_]:
                try:
                    found.append(ipaddress.ip_address(server.partition("%")[0]))
                except ValueError:
                    continue
    return tuple(dict.fromkeys(found))


def _check(families: Sequence[Family]) -> None:
    """Raise MeshctlError unless the rules can be changed here."""
    for family in families:
        for suffix in ("save", "restore"):
            name = f"{_COMMANDS[family]}-{suffix}"
            if shutil.which(name) is None:
                raise MeshctlError(f"{name} is not on PATH", hint="install the package iptables")
    if not may_administrate():
        raise MeshctlError(
            "rules of this network namespace may be changed by root alone",
            hint="run it as root, or in a container with the capability NET_ADMIN; `meshctl iptables print` needs neither",
        )


def may_administrate(status: Path = Path("/proc/self/status")) -> bool:
    """Tell whether this process has the capability NET_ADMIN."""
    try:
        text = status.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    effective = next((line.split()[1] for line in text.splitlines() if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _CAP_NET_ADMIN & 1)


def _save(family: Family) -> str:
    return _run((f"{_COMMANDS[family]}-save",))


def _restore(family: Family, text: str) -> None:
    _run((f"{_COMMANDS[family]}-restore", "--noflush", f"--wait={_LOCK_SECONDS}"), text)


def _unroute(options: InterceptionOptions, family: Family) -> None:
    """Take away what the rules need beside them; it is no mistake if there is none."""
    if shutil.which("ip") is None:
        return
    for command in teardown_commands(options, family):
        subprocess.run(("ip", *command), check=False, capture_output=True, timeout=_SECONDS)  # noqa: S603, S607  (words of ours, no shell; the image says where ip is)


def _run(command: Sequence[str], text: str = "") -> str:
    """Run a command with some input and return its output. Raises MeshctlError with what it said."""
    try:
        done = subprocess.run(  # noqa: S603  (words of ours, no shell)
            command, input=text, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except FileNotFoundError:
        raise MeshctlError(f"{command[0]} is not on PATH", hint="install the package iproute2") from None
    except subprocess.TimeoutExpired:
        raise MeshctlError(f"{' '.join(command)} did not end within {_SECONDS:.0f} s") from None
    if done.returncode:
        said = "; ".join(line for line in done.stderr.splitlines() if line.strip()) or f"exit code {done.returncode}"
        raise MeshctlError(f"{' '.join(command)}: {said}", hint="the kernel needs the modules of iptables that the rules name")
    return done.stdout


def _ipv4_addresses() -> list[ipaddress.IPv4Address]:
    """Return the first address of each interface, loopback and link-local ones left out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, _IFREQ.pack(name.encode(), socket.AF_INET, b"", b""))
            except OSError:
                continue  # it has none
            found.append(ipaddress.IPv4Address(_IFREQ.unpack(answer)[3]))
    return [address for address in found if not (address.is_loopback or address.is_link_local)]


def _ipv6_addresses(path: Path = Path("/proc/net/if_inet6")) -> list[ipaddress.IPv6Address]:
    """Return the addresses of all interfaces, loopback and link-local ones left out."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return []
    found = [ipaddress.IPv6Address(bytes.fromhex(line.split()[0])) for line in lines]
    return [address for address in found if not (address.is_loopback or address.is_link_local)]
