"""Lean HTTP/1.1 over asyncio transports: a client on a keep-alive connection at a fixed pace, a server that says its name, and the tally.

Only what Envoy sends between these two is understood: responses have a Content-Length, requests have no body.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, cast

OK: Final = 200
PATIENCE: Final = 5.0
"""Seconds until a request counts as lost."""

RETRY: Final = 0.01
"""Seconds until a refused connection is tried again."""

SHOWN: Final = 200
"""Failures that are told one by one between two reports."""

WAIT: Final = "/wait/"
"""Begins a path that is answered after so many milliseconds as follow."""

_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Target:
    """What is asked, where, and how often: ``rate`` requests a second over so many connections; ``tls`` with the host as server name."""

    name: str
    address: str
    port: int
    host: str
    rate: float = 50.0
    connections: int = 2
    path: str = "/"
    tls: bool = False


@dataclass
class Tally:
    """What came of the requests for one target since the last report.

    Attributes:
        answers: how often each text was answered with status 200.
        failures: how often each other thing happened: an answer with another status, a reset, a refused connection, no answer.
        examples: when the first of the failures happened (monotonic clock), and what.
        closed: connections that were ended as HTTP has it: announced by ``Connection: close``, or idle.
        slowest: seconds of the slowest answer.
    """

    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[float, str]] = field(default_factory=list)
    closed: int = 0
    slowest: float = 0.0

    def failed(self, now: float, reason: str) -> None:
        """Count a failure."""
        self.failures[reason] += 1
        if len(self.examples) < SHOWN:
            self.examples.append((now, reason))

    def to_json(self) -> dict[str, Any]:
        """Return it for the report."""
        return {
            "answers": dict(self.answers),
            "failures": dict(self.failures),
            "examples": self.examples,
            "closed": self.closed,
            "slowest": self.slowest,
        }


class Load:
    """The clients of one target."""

    def __init__(self, target: Target, trust: ssl.SSLContext | None) -> None:
        self.target = target
        self.tally = Tally()
        self.request = f"GET {target.path} HTTP/1.1\r\nhost: {target.host}\r\n\r\n".encode()
        self.interval = target.connections / target.rate
        self.stopping = False
        self._trust = trust
        self._clients = {_Client(self, self.interval * number / target.connections) for number in range(target.connections)}
        self._opening: set[asyncio.Task[None]] = set()
        for client in self._clients:
            self.open(client)

    def take(self) -> Tally:
        """Return what happened since the last call."""
        found, self.tally = self.tally, Tally()
        return found

    def open(self, client: _Client) -> None:
        """Have a client connect."""
        task = asyncio.get_running_loop().create_task(self._open(client))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, client: _Client) -> None:
        loop = asyncio.get_running_loop()
        name = self.target.host.partition(":")[0] if self._trust else None
        while not self.stopping:
            try:
                await loop.create_connection(lambda: client, self.target.address, self.target.port, ssl=self._trust, server_hostname=name)
            except OSError as error:
                self.tally.failed(loop.time(), f"connection refused: {type(error).__name__}")
                await asyncio.sleep(RETRY)
            else:
                return

    async def stop(self) -> None:
        """Ask nothing more, and wait for what is under way."""
        self.stopping = True
        for client in self._clients:
            client.stop()
        while any(client.busy for client in self._clients):  # noqa: ASYNC110  (a short way to the end of a test)
            await asyncio.sleep(RETRY)
        for client in self._clients:
            client.close()
        for task in tuple(self._opening):
            task.cancel()


class _Client(asyncio.Protocol):
    """One connection at a time: asks, waits for the answer, waits for its turn, asks again."""

    def __init__(self, load: Load, delay: float) -> None:
        self._load = load
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._due = self._loop.time() + delay
        self._asked = 0.0
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._leaving = False
        self.busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask when the turn has come."""
        self._transport = cast("asyncio.Transport", transport)
        self._data, self._leaving = b"", False
        self._schedule()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer."""
        self._data += data
        head, end, body = self._data.partition(_END)
        if not end:
            return
        lines = head.decode("latin-1").lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
        if len(body) < int(fields.get("content-length", 0)):
            return
        self._data = b""
        if self.busy:
            self._answered(int(lines[0].split(" ")[1]), body.decode("latin-1"), fields)
        else:
            self._load.tally.failed(self._loop.time(), f"unasked answer: {lines[0]}")

    def connection_lost(self, exc: Exception | None) -> None:
        """Connect again; an end in the middle of a request, or by a reset, is a failure."""
        tally, reason = self._load.tally, type(exc).__name__ if exc else "end of stream"
        self._cancel()
        if self._load.stopping and not self.busy:
            return
        if self.busy:
            self.busy = False
            tally.failed(self._loop.time(), f"connection lost in a request: {reason}")
        elif exc is not None:
            tally.failed(self._loop.time(), f"idle connection lost: {reason}")
        else:
            tally.closed += 1
        self._transport = None
        self._load.open(self)

    def stop(self) -> None:
        """Ask nothing more."""
        if not self.busy:
            self._cancel()

    def close(self) -> None:
        """Leave."""
        if self._transport is not None:
            self._transport.close()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        now = self._loop.time()
        self._due = max(self._due + self._load.interval, now)
        self._timer = self._loop.call_at(self._due, self._ask)

    def _ask(self) -> None:
        if self._transport is None or self._load.stopping or self._transport.is_closing():
            return
        self.busy, self._asked = True, self._loop.time()
        self._timer = self._loop.call_later(PATIENCE, self._give_up)
        self._transport.write(self._load.request)

    def _give_up(self) -> None:
        self.busy = False
        self._load.tally.failed(self._loop.time(), "no answer")
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, status: int, body: str, fields: dict[str, str]) -> None:
        self.busy = False
        self._cancel()
        now, tally = self._loop.time(), self._load.tally
        tally.slowest = max(tally.slowest, now - self._asked)
        if status == OK:
            tally.answers[body] += 1
        else:
            tally.failed(now, f"{status} {body}".strip())
        if fields.get("connection") == "close":
            if self._transport is not None:
                self._transport.close()
        elif not self._load.stopping:
            self._schedule()


class Server(asyncio.Protocol):
    """A connection of a server that answers everything with its name: at once, or, to a path ``/wait/30``, after 30 ms."""

    def __init__(self, name: str) -> None:
        self._answer = f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode()
        self._transport: asyncio.Transport | None = None
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for requests."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request; the client sends no other before it has the answer."""
        self._data += data
        while _END in self._data:
            head, _, self._data = self._data.partition(_END)
            path = head.split(b" ", 2)[1].decode("latin-1")
            if path.startswith(WAIT):
                asyncio.get_running_loop().call_later(int(path.removeprefix(WAIT)) / 1000, self._say)
            else:
                self._say()

    def _say(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._answer)
