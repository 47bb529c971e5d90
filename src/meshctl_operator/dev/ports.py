"""Ports of this machine: whether one is free, and who has it if not."""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path
from typing import Final

from meshctl_operator.base.errors import MeshctlError

_LISTEN: Final = "0A"
_PROC: Final = Path("/proc")


def can_bind(address: str, port: int) -> bool:
    """Tell whether a server could listen there now. A socket in TIME_WAIT does not count, since servers reuse its address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def refuse_taken(address: str, port: int, purpose: str) -> None:
    """Raise MeshctlError that names the owner when something listens there already."""
    if can_bind(address, port):
        return
    owner = owner_of(address, port)
    raise MeshctlError(
        f"{address}:{port} is taken{f' by {owner}' if owner else ''}; {purpose} needs it", hint="end that process, or change the port"
    )


def owner_of(address: str, port: int) -> str | None:
    """Return ``name (pid 4711)`` of the process that listens on the port at the address or at all of them; None where that cannot be seen."""
    if sys.platform != "linux":
        return None
    inodes = _listening(address, port)
    if not inodes:
        return None
    for process in sorted(_PROC.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if inodes & _sockets(process):
            with contextlib.suppress(OSError):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening(address: str, port: int) -> set[str]:
    """Return the inodes of listening IPv4 sockets (``proc(5)``, /proc/net/tcp: addresses are little-endian hexadecimal)."""
    wanted = {f"{_hex(host)}:{port:04X}" for host in (address, "0.0.0.0")}  # noqa: S104  (compared with, not bound)
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for line in (_PROC / "net/tcp").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == _LISTEN and local in wanted:
                found.add(rest[5])
    return found


def _hex(address: str) -> str:
    return socket.inet_aton(address)[::-1].hex().upper()


def _sockets(process: Path) -> set[str]:
    """Return the inodes of the sockets that a process has open, as far as we may look."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for descriptor in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
