"""A TCP proxy on loopback that cuts connections, or refuses them, when a test says so."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self


class TcpProxy:
    """Forwards to one port of this machine. ``url`` of a server behind it is ``https://127.0.0.1:{proxy.port}``."""

    def __init__(self, port: int) -> None:
        """Take the port to forward to."""
        self._target = port
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._refusing = False
        self.accepted = 0
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._refusing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Break every connection that is open now."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                _shut(end)

    def refuse(self, *, refusing: bool) -> None:
        """Accept nothing from now on (and cut what there is), or accept again."""
        self._refusing = refusing
        if refusing:
            self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                near.close()
                continue
            self.accepted += 1
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.add((near, far))
            threads = [threading.Thread(target=_pump, args=ends, daemon=True) for ends in ((near, far), (far, near))]
            for thread in threads:
                thread.start()
            threading.Thread(target=self._close_after, args=(threads, near, far), daemon=True).start()

    def _close_after(self, threads: list[threading.Thread], near: socket.socket, far: socket.socket) -> None:
        for thread in threads:
            thread.join()
        with self._lock:
            self._pairs.discard((near, far))
        near.close()
        far.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            sink.sendall(data)
    except OSError:
        pass
    _shut(source)
    _shut(sink)


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
