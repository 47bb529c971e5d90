"""A DNS server for tests: answers address questions from a function, on a socket that the test made wherever it likes."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Final, cast

_HEAD: Final = struct.Struct("!HHHHHH")
_A: Final = 1
_NO_SUCH_NAME: Final = 3
_ANSWER_FLAGS: Final = 0x8580  # a response, authoritative, recursion desired and available
_TTL: Final = 1


class DnsServer(asyncio.DatagramProtocol):
    """Answers ``A`` questions with the addresses that ``look_up`` gives for a name in lower case; no address is "no such name"."""

    def __init__(self, look_up: Callable[[str], Iterable[str]]) -> None:
        self._look_up = look_up
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()

    async def start(self, sock: socket.socket) -> None:
        """Answer what comes in on a bound socket."""
        sock.settimeout(0)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, sock=sock)

    async def close(self) -> None:
        """Stop answering."""
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (the signature of asyncio)
        """Let go of the socket."""
        self._closed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are sent with."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # that of Python 3.11 says so by its methods only

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        assert self._transport is not None
        name, end = _name(data, _HEAD.size)
        (kind,) = struct.unpack_from("!H", data, end)
        question = data[_HEAD.size : end + 4]
        addresses = list(self._look_up(name))
        found = [ipaddress.IPv4Address(address).packed for address in addresses] if kind == _A else []
        flags = _ANSWER_FLAGS | (0 if addresses else _NO_SUCH_NAME)
        head = _HEAD.pack(int.from_bytes(data[:2]), flags, 1, len(found), 0, 0)
        answers = [struct.pack("!HHHIH", 0xC00C, _A, 1, _TTL, 4) + packed for packed in found]
        self._transport.sendto(b"".join((head, question, *answers)), addr)


def _name(data: bytes, start: int) -> tuple[str, int]:
    """Return the name at a position, and the position behind it."""
    labels = []
    while length := data[start]:
        labels.append(data[start + 1 : start + 1 + length].decode("ascii").lower())
        start += 1 + length
    return ".".join(labels), start + 1
