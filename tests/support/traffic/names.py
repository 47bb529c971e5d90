"""A DNS server on loopback that takes its time: for names that Envoy has to wait for, or waits for in vain."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final, cast

_ADDRESS: Final = 1  # QTYPE A (RFC 1035)
_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHHIH4s")
_RESPONSE: Final = 0x8180  # a response, recursion desired and available, no error
_FIRST_NAME: Final = 0xC00C  # a pointer to the name in the question
_INTERNET: Final = 1
_SECONDS: Final = 60


class NameServer(asyncio.DatagramProtocol):
    """Says 127.0.0.1 for the names that it knows, each after its own number of milliseconds; nothing for any other."""

    def __init__(self, delays: Mapping[str, int]) -> None:
        self._delays = delays
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for questions."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer a question when its time has come."""
        name, end = _name(data)
        delay = self._delays.get(name)
        if delay is not None:
            asyncio.get_running_loop().call_later(delay / 1000, self._answer, data, end, addr)

    def _answer(self, query: bytes, end: int, addr: Any) -> None:
        (kind,) = struct.unpack_from("!H", query, end)
        (number,) = struct.unpack_from("!H", query)
        found = _RECORD.pack(_FIRST_NAME, _ADDRESS, _INTERNET, _SECONDS, 4, socket.inet_aton("127.0.0.1")) if kind == _ADDRESS else b""
        question = query[_HEADER.size : end + 4]
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(_HEADER.pack(number, _RESPONSE, 1, bool(found), 0, 0) + question + found, addr)


def _name(query: bytes) -> tuple[str, int]:
    """Return the name of the question, and where it ends."""
    labels, place = [], _HEADER.size
    while length := query[place]:
        labels.append(query[place + 1 : place + 1 + length].decode("ascii").lower())
        place += 1 + length
    return ".".join(labels), place + 1
