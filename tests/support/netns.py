"""Network namespaces for tests: machines of their own, with addresses, routes and packet filters that nothing outside notices.

Needs root. Names carry the process id of the test run; what an earlier run has left behind is deleted when the first one is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

PREFIX: Final = "mctest"
FOLDER: Final = Path("/run/netns")
NEEDED: Final = {
    "ip": "iproute2",
    "iptables-restore": "iptables",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
PROXY_USER: Final = 1337
_CLONE_NEWNET: Final = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str:
    """Return what is needed for tests in network namespaces and not there, as the way to get it; empty if everything is."""
    packages = sorted({package for command, package in NEEDED.items() if shutil.which(command) is None})
    if packages:
        return f"install {' and '.join(packages)}"
    if os.geteuid() != 0:
        return "run as root"
    probe = Netns("probe")
    try:
        probe.create()
        probe.run("iptables", "-t", "nat", "-A", "OUTPUT", "-m", "owner", "--uid-owner", "1", "-j", "RETURN")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"allow network namespaces with iptables here ({error})"
    finally:
        probe.delete()
    return ""


class Netns:
    """One network namespace; ``with Netns("a") as a`` makes it and deletes it."""

    def __init__(self, name: str) -> None:
        self.name = f"{PREFIX}{os.getpid()}-{name}"

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.delete()

    def create(self) -> None:
        """Make the namespace, with loopback up."""
        _sweep()
        _ip("netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def delete(self) -> None:
        """Delete it; its interfaces go with it. It is no mistake if it is not there."""
        subprocess.run(("ip", "netns", "del", self.name), check=False, capture_output=True)

    def ip(self, *words: str) -> str:
        """Run ``ip`` on the namespace."""
        return _ip("-n", self.name, *words)

    def command(self, *words: str | Path) -> tuple[str, ...]:
        """Return the command that runs another inside, in place of itself: the process id stays."""
        return ("nsenter", f"--net={FOLDER / self.name}", "--", *map(str, words))

    def run(self, *words: str | Path) -> str:
        """Run a command inside and return its output. Raises CalledProcessError."""
        return subprocess.run(self.command(*words), check=True, capture_output=True, text=True, timeout=60).stdout

    def socket(self, kind: socket.SocketKind = socket.SOCK_STREAM, *, family: int = socket.AF_INET, user: int = 0) -> socket.socket:
        """Return a new socket inside, which may be used by anybody from then on; it counts as one of the user."""
        with self.entered(user=user):
            return socket.socket(family, kind)

    @contextmanager
    def entered(self, *, user: int = 0) -> Iterator[None]:
        """Let this thread be inside for a moment, which must have no ``await`` in it. Sockets stay where they were made."""
        with Path("/proc/thread-self/ns/net").open("rb") as here, (FOLDER / self.name).open("rb") as there:
            _enter(there.fileno())
            _libc.setfsuid(user)
            try:
                yield
            finally:
                _libc.setfsuid(0)
                _enter(here.fileno())


def connect(first: Netns, second: Netns, *, name: str, other: str) -> None:
    """Lay a cable: a pair of interfaces, one in each, both up."""
    _ip("link", "add", name, "netns", first.name, "type", "veth", "peer", "name", other, "netns", second.name)
    first.ip("link", "set", name, "up")
    second.ip("link", "set", other, "up")


async def connected(sock: socket.socket, host: str, port: int, *, timeout: float = 5.0) -> socket.socket:  # noqa: ASYNC109  (a test states its deadline where it waits)
    """Connect a socket and return it; it is closed if that fails."""
    sock.settimeout(0)
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock


_swept = threading.Event()


def _sweep() -> None:
    """Delete what runs have left behind whose process is gone."""
    if _swept.is_set():
        return
    _swept.set()
    for path in FOLDER.glob(f"{PREFIX}*") if FOLDER.exists() else ():
        pid = path.name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "del", path.name)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _ip(*words: str) -> str:
    command: Sequence[str] = ("ip", *words)
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
