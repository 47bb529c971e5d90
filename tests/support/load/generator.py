"""The process of the clients: ``python -m tests.support.load.generator`` reads commands as JSON lines, and answers each with one line.

One epoll loop, one thread. Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

import errno
import heapq
import json
import os
import select
import socket
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from tests.support.load.envoys import SimulatedEnvoy, sidecar_node
from tests.support.load.frames import ConnectionEnded, GrpcCall, opening
from tests.support.load.tally import Event, Tally
from tests.support.load.wire import METHOD, Kind, Reader, Response, WireError

_READ: Final = 1 << 18  # bytes at a time; larger buffers are mapped and unmapped each time
_RETRY: Final = 0.1  # seconds until a client whose connection broke comes again; much shorter than Envoy's
_LOOK: Final = 0.02  # seconds between looks whether an event is over


class _Client:
    """One simulated Envoy with its socket."""

    __slots__ = ("call", "envoy", "number", "opened", "paused", "sock", "unwritten")

    def __init__(self, number: int, envoy: SimulatedEnvoy) -> None:
        self.number = number
        self.envoy = envoy
        self.sock: socket.socket | None = None
        self.call: GrpcCall | None = None
        self.unwritten = b""
        self.opened = 0.0  # when the server's first bytes came on this stream
        self.paused = False


class Generator:
    """All clients, and the event that is being watched."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._poll.register(0, select.EPOLLIN)
        self._commands = b""
        self._clients: list[_Client] = []
        self._by_fd: dict[int, _Client] = {}
        self._namespaces: list[str] = []
        self._address = ("", 0)
        self._again: list[tuple[float, int]] = []
        self._reader = Reader()
        self._buffer = bytearray(_READ)
        self._tally = Tally(Event("none"), ())
        self._finish: Mapping[str, Any] | None = None
        self._deadline = self._least = self._start = self._next_look = 0.0
        self._trouble: list[str] = []
        self._busy = self._reading = 0.0
        self._handled = 0
        self._ended = False

    def run(self) -> None:
        """Work until the command ``end`` comes, or the commands end."""
        while not self._ended:
            for fd, events in self._poll.poll(self._timeout()):
                if fd == 0:
                    self._read_commands()
                elif (client := self._by_fd.get(fd)) is not None:
                    self._ready(client, events)
            while self._again and self._again[0][0] <= time.monotonic():
                self._connect(self._clients[heapq.heappop(self._again)[1]])
            if self._finish is not None and time.monotonic() >= self._next_look:
                self._next_look = time.monotonic() + _LOOK
                self._try_finish(self._finish)

    def _timeout(self) -> float:
        if self._finish is not None:
            return _LOOK
        return max(0.0, self._again[0][0] - time.monotonic()) if self._again else -1

    # sockets

    def _connect(self, client: _Client) -> None:
        sock = socket.socket()
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failure = sock.connect_ex(self._address)
        client.sock = sock
        if failure not in {0, errno.EINPROGRESS}:
            self._drop(client, os.strerror(failure))
            return
        client.opened = 0.0
        client.call = GrpcCall(opening(f"{self._address[0]}:{self._address[1]}", METHOD))
        for message in client.envoy.hello():
            client.call.send(message)
        self._by_fd[sock.fileno()] = client
        self._poll.register(sock, select.EPOLLIN | select.EPOLLOUT)
        client.unwritten = client.call.take_output()

    def _ready(self, client: _Client, events: int) -> None:
        try:
            if events & (select.EPOLLERR | select.EPOLLHUP) and not events & select.EPOLLIN:
                self._drop(client, "the connection failed")
                return
            if events & select.EPOLLIN:
                self._read(client)
            if events & select.EPOLLOUT:
                self._write(client, b"")
        except (OSError, ConnectionEnded, WireError) as error:
            self._drop(client, str(error) or repr(error))

    def _read(self, client: _Client) -> None:
        sock, call = client.sock, client.call
        assert sock is not None
        assert call is not None
        begun = time.thread_time()
        size = sock.recv_into(self._buffer)
        if not size:
            raise ConnectionEnded("the server closed the connection")
        client.opened = client.opened or time.monotonic()
        responses: list[tuple[Response, int]] = []
        for message in call.receive(bytes(memoryview(self._buffer)[:size])):
            response = self._reader.read(message)
            for answer in client.envoy.answer(response):
                call.send(answer)
            responses.append((response, len(message)))
        if output := call.take_output():
            self._write(client, output)
        if responses:
            now = time.monotonic()
            self._handled += len(responses)
            for response, size in responses:
                self._tally.take(client.number, response, size, now)
            self._reading += time.thread_time() - begun

    def _write(self, client: _Client, data: bytes) -> None:
        assert client.sock is not None
        waiting = bool(client.unwritten)
        data = client.unwritten + data if waiting else data
        try:
            sent = client.sock.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        client.unwritten = data[sent:]
        if client.unwritten or waiting or not data:
            wanted = select.EPOLLIN | select.EPOLLOUT if client.unwritten else select.EPOLLIN
            self._poll.modify(client.sock, wanted)

    def _drop(self, client: _Client, reason: str) -> None:
        """Close the connection of a client that did not mean to, and try again soon."""
        self._trouble.append(reason)
        self._close(client)
        heapq.heappush(self._again, (time.monotonic() + _RETRY, client.number))

    def _close(self, client: _Client) -> None:
        sock, client.sock, client.call, client.unwritten = client.sock, None, None, b""
        client.paused = False
        if sock is not None:
            self._by_fd.pop(sock.fileno(), None)
            sock.close()

    # commands

    def _read_commands(self) -> None:
        data = os.read(0, 1 << 20)
        if not data:
            self._ended = True
        *lines, self._commands = (self._commands + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, command: Mapping[str, Any]) -> None:
        """Do what a command says; see ``control`` for what each means."""
        if command["do"] == "finish":  # answered when the event is over
            now = time.monotonic()
            self._start = command["start"]
            self._deadline, self._least = now + command["timeout"], self._start + command["least"]
            self._finish = command
            return
        {
            "clients": self._make,
            "connect": self._connect_all,
            "park": self._park,
            "forget": self._forget,
            "pause": self._pause,
            "resume": self._resume,
            "refuse": self._refuse,
            "watch": self._watch,
            "end": self._end,
        }[command["do"]](command)
        self._say({"done": command["do"]})

    def _make(self, command: Mapping[str, Any]) -> None:
        namespaces = command["namespaces"]
        for number in range(len(self._clients), command["count"]):
            namespace = namespaces[number % len(namespaces)]
            self._clients.append(_Client(number, SimulatedEnvoy(sidecar_node(number, namespace))))
            self._namespaces.append(namespace)
        self._tally = Tally(Event("none"), self._namespaces)

    def _connect_all(self, command: Mapping[str, Any]) -> None:
        host, _, port = command["address"].rpartition(":")
        self._address = (host, int(port))
        self._again.clear()
        for client in self._clients:
            if client.sock is None:
                self._connect(client)

    def _park(self, _: Mapping[str, Any]) -> None:
        self._again.clear()
        for client in self._clients:
            self._close(client)

    def _forget(self, _: Mapping[str, Any]) -> None:
        for client in self._clients:
            client.envoy.forget()

    def _pause(self, command: Mapping[str, Any]) -> None:
        for client in self._clients[: command["count"]]:
            if client.sock is not None and not client.paused:
                client.paused = True
                self._poll.modify(client.sock, 0)

    def _resume(self, _: Mapping[str, Any]) -> None:
        for client in self._clients:
            if client.sock is not None and client.paused:
                client.paused = False
                self._poll.modify(client.sock, select.EPOLLIN | (select.EPOLLOUT if client.unwritten else 0))

    def _refuse(self, command: Mapping[str, Any]) -> None:
        for client in self._clients:
            client.envoy.refuses = self._refuses if client.number in command["clients"] else None

    def _watch(self, command: Mapping[str, Any]) -> None:
        self._trouble.clear()
        deaf = {client.number for client in self._clients if client.paused}
        self._tally = Tally(Event.from_json(command["event"]), self._namespaces, deaf)
        self._busy, self._reading, self._handled = time.process_time(), 0.0, 0

    def _end(self, _: Mapping[str, Any]) -> None:
        self._ended = True

    def _say(self, answer: Mapping[str, Any]) -> None:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()

    def _refuses(self, response: Response) -> bool:
        """Tell whether a client that rejects changes rejects this one: what the event changes, nothing else."""
        kind = Kind.RDS if response.kind is Kind.VHDS else response.kind
        marker = self._tally.event.markers.get(kind)
        return marker is not None and marker in response.body.data

    # the end of an event

    def _through(self, client: _Client) -> bool:
        """Tell whether a client that starts has all it asked for; one that resumes may rightly be told nothing."""
        return bool(client.opened) and (client.envoy.configured or client.envoy.resumed)

    def _try_finish(self, command: Mapping[str, Any]) -> None:
        now = time.monotonic()
        late = now > self._deadline
        if not late:
            reached = all(map(self._through, self._clients)) if command["until"] == "configured" else self._tally.complete
            if not reached or now - max(self._tally.last, self._start) < command["quiet"] or now < self._least:
                return
        self._finish = None
        done = None
        if command["until"] == "configured":
            done = [max(client.opened, self._tally.last_of(client.number)) if self._through(client) else 0.0 for client in self._clients]
        report = self._tally.report(self._start, done, command["written"])
        busy = time.process_time() - self._busy
        holds = self._clients[0].envoy.holds() if self._clients else {}
        report |= {
            "timeout": late,
            "reconnects": len(self._trouble),
            "trouble": self._trouble[-1] if self._trouble else None,
            "generator_cpu_s": round(busy, 3),
            "generator_us_per_message": round(self._reading / self._handled * 1e6, 1) if self._handled else None,
            "first_client_holds": {kind.name: count for kind, count in holds.items() if count},
        }
        self._say(report)


if __name__ == "__main__":
    Generator().run()
