"""Protobuf wire format, as far as responses are joined from cached bytes.

A length-delimited field may be written by concatenation (protobuf encoding guide), so that a response of a thousand resources costs one
join. Fields are written in ascending order: the result is byte for byte what the protobuf library would write.
"""

from __future__ import annotations

_CONTINUATION = 0x80  # the bit that says that another byte of the varint follows
_LENGTH_DELIMITED = 2  # wire type of strings, bytes and messages
_SINGLE = tuple(bytes((value,)) for value in range(_CONTINUATION))


def varint(value: int) -> bytes:
    """Return a non-negative integer as a base-128 varint."""
    if value < _CONTINUATION:
        return _SINGLE[value]
    out = bytearray()
    while value >= _CONTINUATION:
        out.append(value & (_CONTINUATION - 1) | _CONTINUATION)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_head(field: int, size: int) -> bytes:
    """Return the tag and length that precede a length-delimited payload of ``size`` bytes."""
    tag = field << 3 | _LENGTH_DELIMITED
    return (_SINGLE[tag] if tag < _CONTINUATION else varint(tag)) + varint(size)


def bytes_field(field: int, payload: bytes) -> bytes:
    """Return a framed bytes or message field. An empty payload is written too: an empty message is not an absent one."""
    return field_head(field, len(payload)) + payload


def string_field(field: int, text: str) -> bytes:
    """Return a framed string field; nothing for the empty string, which proto3 does not write."""
    return bytes_field(field, text.encode()) if text else b""
