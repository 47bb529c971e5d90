"""Addresses and ports of one local mesh: nothing that another process on this machine uses, nothing that two of our own would share.

On Linux all of 127.0.0.0/8 is loopback, so every workload has an address of its own. A mesh first claims a block ``127.0.B.0/24`` by
holding a socket on it; another mesh on the machine then takes another block, and the kernel gives the claim back when we die. Ports of
the block lie below the range from which the kernel takes ports for outgoing connections, so none is snatched away before it is bound.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import Final, Self

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.dev.ports import can_bind, refuse_taken

LOOPBACK: Final = "127.0.0.1"
GATEWAY_PORTS: Final = {80: 8080, 443: 8443}
_CLAIM_HOST: Final = 254
_CLAIM_PORT: Final = 15999
_BLOCKS: Final = range(20, 140)
_PORTS_OF_A_BLOCK: Final = 100
_FIRST_PORT: Final = 20_000
_LAST_PORT: Final = 65_535
_FIRST_UNPRIVILEGED: Final = 1024
_TRIES: Final = 5


class AddressBook:
    """The addresses of one mesh, handed out one by one. Close it when the mesh is down."""

    def __init__(self) -> None:
        """Claim a block. Raises MeshctlError when more meshes run than there are blocks."""
        self._used: set[tuple[str, int]] = set()
        self._own_addresses = can_bind("127.0.0.2", 0)
        self._claim, self._block = self._claim_block()
        self._hosts = iter(range(1, _CLAIM_HOST))
        start = _FIRST_PORT + (self._block - _BLOCKS.start) * _PORTS_OF_A_BLOCK
        self._ports = iter(range(start, start + _PORTS_OF_A_BLOCK))

    def __enter__(self) -> Self:
        """Return the book itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give the block back."""
        self.close()

    def close(self) -> None:
        """Give the block back."""
        self._claim.close()

    def workload(self, ports: Iterable[int] = ()) -> str:
        """Return an address at which all the ports can be bound: one of its own, or 127.0.0.1 where there is no other loopback address.

        Raises MeshctlError that names the owner of a port which is taken at every address, as by a server on 0.0.0.0.
        """
        wanted = [port for port in ports if port >= _FIRST_UNPRIVILEGED]
        if not self._own_addresses:
            return LOOPBACK
        taken: list[tuple[str, int]] = []
        for host in self._hosts:
            address = f"127.0.{self._block}.{host}"
            refused = next((port for port in wanted if not can_bind(address, port)), None)
            if refused is None:
                return address
            taken.append((address, refused))
            if len(taken) == _TRIES:
                refuse_taken(address, refused, "a workload")
        raise MeshctlError(f"more than {_CLAIM_HOST - 1} workloads in one local mesh")

    def port(self, preferred: int = 0, address: str = LOOPBACK) -> int:
        """Return a free port: the preferred one where it is free, else one of the block, else one that the kernel picks."""
        for port in self._candidates(preferred):
            if (address, port) not in self._used and can_bind(address, port):
                self._used.add((address, port))
                return port
        picked = _picked(address)
        while (address, picked) in self._used:  # the kernel knows of no promise, only of sockets
            picked = _picked(address)
        self._used.add((address, picked))
        return picked

    def _candidates(self, preferred: int) -> Iterator[int]:
        if preferred:
            yield preferred
        yield from self._ports

    def _claim_block(self) -> tuple[socket.socket, int]:
        for block in _BLOCKS:
            claim = socket.socket()
            address = f"127.0.{block}.{_CLAIM_HOST}" if self._own_addresses else LOOPBACK
            port = _CLAIM_PORT if self._own_addresses else _LAST_PORT - block
            try:
                claim.bind((address, port))
                claim.listen(1)
            except OSError:
                claim.close()
            else:
                return claim, block
        raise MeshctlError(f"{len(_BLOCKS)} local meshes run on this machine already", hint="end one of them")


def _picked(address: str) -> int:
    """Return a port that the kernel takes for free."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
