"""What comes in: a connection, the request on it, and what chance decides."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SELDOM: Final = 999_999
"""The draw that only a share of 100 % contains, whatever the denominator."""


class Capture(StrEnum):
    """How a connection gets to the proxy: dialled, or taken from the application's or the client's side by interception."""

    NONE = "none"
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class HttpVersion(StrEnum):
    """The protocol of a request, under the name by which Envoy's HTTP inspector and ALPN know it."""

    HTTP10 = "http/1.0"
    HTTP11 = "http/1.1"
    HTTP2 = "h2c"


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP connection as a proxy accepts it.

    ``address`` and ``port`` are those that the client dialled. With ``capture`` they are not the proxy's own: interception led the
    connection there. ``tls`` says that the client starts a handshake, with ``server_name`` (SNI) and ``alpn``.
    """

    address: str
    port: int
    capture: Capture = Capture.NONE
    tls: bool = False
    server_name: str = ""
    alpn: tuple[str, ...] = ()
    source_address: str = "127.0.0.1"
    source_port: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request as the client sends it. ``path`` holds the query; header names may be in any case; only HTTP/2 has a ``scheme``."""

    authority: str
    path: str = "/"
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    version: HttpVersion = HttpVersion.HTTP11
    scheme: str = ""


@dataclass(frozen=True, slots=True)
class Draws:
    """The random numbers of one request: Envoy takes each modulo the total weight or the denominator.

    ``route`` decides about weighted clusters and runtime fractions of matches, ``delay`` and ``abort`` about faults. By default the
    first cluster is taken, and only faults happen that happen always.
    """

    route: int = 0
    delay: int = SELDOM
    abort: int = SELDOM
