"""One gRPC call over one HTTP/2 connection, from the client's side, as a state machine: bytes in, messages and bytes out.

Only what a server of ours sends is understood (RFC 9113): response headers are skipped without decoding, since gRPC's messages are in DATA
frames and the end of the stream is a flag. Flow control is kept in both directions, so that a slow server is not flooded.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7, 0x8
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_INITIAL_WINDOW_SIZE: Final = 0x4
_STREAM: Final = 1  # the only stream of a connection
_FRAME_HEADER: Final = 9
_MESSAGE_HEADER: Final = 5  # gRPC: one byte of compression, four of length
_MAX_FRAME: Final = 16_384  # what every peer accepts
_DEFAULT_WINDOW: Final = 65_535
RECEIVE_WINDOW: Final = 1 << 28
"""Bytes that the server may send without an update: Envoy's own default for a stream (256 MiB)."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Return a header as HPACK's literal that is never indexed, without Huffman code; both parts are shorter than 127 bytes."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


def opening(authority: str, path: str) -> bytes:
    """Return the first bytes of a connection: preface, settings, a large window and the headers of a gRPC call to ``path``."""
    settings = struct.pack(">HIHI", 0x2, 0, _INITIAL_WINDOW_SIZE, RECEIVE_WINDOW)  # no pushes, large windows for streams
    headers = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", authority.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"user-agent", b"meshctl-load"),
    )
    return b"".join(
        (
            _PREFACE,
            frame(_SETTINGS, 0, 0, settings),
            frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", RECEIVE_WINDOW - _DEFAULT_WINDOW)),
            frame(_HEADERS, _END_HEADERS, _STREAM, b"".join(_literal(*header) for header in headers)),
        )
    )


class ConnectionEnded(Exception):  # noqa: N818  (an end, not always an error)
    """The server ended the stream or the connection, or does not speak HTTP/2."""


class GrpcCall:
    """The framing of one call. ``receive`` takes bytes and returns whole messages; ``take_output`` is what must be written meanwhile."""

    __slots__ = ("_body", "_connection_window", "_initial_window", "_needed", "_out", "_rest", "_stream_window", "_unsent", "_updated")

    def __init__(self, opening_bytes: bytes) -> None:
        """Start with the bytes of ``opening``."""
        self._out: list[bytes] = [opening_bytes]
        self._rest = b""
        self._body: list[bytes] = []
        self._needed = 0
        self._unsent = bytearray()
        self._initial_window = self._stream_window = self._connection_window = _DEFAULT_WINDOW
        self._updated = 0

    def send(self, message: bytes) -> None:
        """Queue a message of protobuf bytes, as far as the server's window allows at once."""
        size = len(message) + _MESSAGE_HEADER
        if not self._unsent and size <= _MAX_FRAME and size <= self._stream_window and size <= self._connection_window:
            self._stream_window -= size
            self._connection_window -= size
            self._out.append(struct.pack(">IBIBI", size << 8, 0, _STREAM, 0, len(message)) + message)
            return
        self._unsent += struct.pack(">BI", 0, len(message))
        self._unsent += message
        self._send_more()

    def take_output(self) -> bytes:
        """Return what has to be written now, and forget it."""
        out = self._out
        if not out:
            return b""
        joined = out[0] if len(out) == 1 else b"".join(out)
        self._out = []
        return joined

    def receive(self, data: bytes) -> Sequence[bytes]:
        """Take what was read from the socket; returns the messages that are complete. Raises ConnectionEnded."""
        if self._rest:
            data = self._rest + data
        messages: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= _FRAME_HEADER:
            start = at + _FRAME_HEADER
            after = start + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
            if after > end:
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == _DATA:
                self._data(data, start, after, flags, messages)
            else:
                self._control(kind, flags, int.from_bytes(data[at + 5 : start], "big"), data[start:after])
            at = after
        self._rest = data[at:] if at < end else b""
        return messages

    def _data(self, data: bytes, start: int, after: int, flags: int, messages: list[bytes]) -> None:
        self._updated += after - start
        if self._updated > RECEIVE_WINDOW // 2:
            update = struct.pack(">I", self._updated)
            self._out += [frame(_WINDOW_UPDATE, 0, stream, update) for stream in (0, _STREAM)]
            self._updated = 0
        if flags & _PADDED:
            after -= data[start]
            start += 1
        if not self._needed and not self._body and after - start >= _MESSAGE_HEADER:
            size = int.from_bytes(data[start + 1 : start + _MESSAGE_HEADER], "big")
            if after - start == size + _MESSAGE_HEADER:  # the usual case: one message, one frame
                messages.append(data[start + _MESSAGE_HEADER : after])
                start = after
        if start < after:
            self._gather(data[start:after], messages)
        if flags & _END_STREAM:
            raise ConnectionEnded("the server ended the stream")

    def _gather(self, piece: bytes, messages: list[bytes]) -> None:
        """Put pieces of messages together."""
        while piece:
            if not self._needed:  # between messages, or within a header that was cut
                self._body.append(piece)
                piece = b"".join(self._body)
                if len(piece) < _MESSAGE_HEADER:
                    self._body = [piece]
                    return
                self._needed = int.from_bytes(piece[1:_MESSAGE_HEADER], "big")
                self._body, piece = [], piece[_MESSAGE_HEADER:]
                if not self._needed:
                    messages.append(b"")
                continue
            if len(piece) <= self._needed:  # nearly always: a long message comes in many frames
                taken, piece = piece, b""
            else:
                taken, piece = piece[: self._needed], piece[self._needed :]
            self._body.append(taken)
            self._needed -= len(taken)
            if not self._needed:
                messages.append(b"".join(self._body))
                self._body = []

    def _control(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _WINDOW_UPDATE:
            if stream:
                self._stream_window += int.from_bytes(payload, "big")
            else:
                self._connection_window += int.from_bytes(payload, "big")
            self._send_more()
        elif kind == _PING:
            if not flags & _ACK:
                self._out.append(frame(_PING, _ACK, 0, payload))
        elif kind == _SETTINGS:
            if not flags & _ACK:
                self._settings(payload)
        elif kind == _RST_STREAM:
            raise ConnectionEnded(f"the server reset the stream, code {int.from_bytes(payload, 'big')}")
        elif kind == _GOAWAY:
            raise ConnectionEnded(f"the server closes the connection: {payload[8:].decode(errors='replace')}")
        elif kind == _HEADERS and flags & _END_STREAM:
            raise ConnectionEnded("the server ended the call")

    def _settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _INITIAL_WINDOW_SIZE:
                self._stream_window += value - self._initial_window
                self._initial_window = value
        self._out.append(frame(_SETTINGS, _ACK, 0))
        self._send_more()

    def _send_more(self) -> None:
        """Turn queued bytes into frames while the windows last."""
        while self._unsent and (size := min(len(self._unsent), _MAX_FRAME, self._stream_window, self._connection_window)) > 0:
            self._out.append(frame(_DATA, 0, _STREAM, bytes(self._unsent[:size])))
            del self._unsent[:size]
            self._stream_window -= size
            self._connection_window -= size
