"""Unit tests of the wire format helpers, against the protobuf library."""

from __future__ import annotations

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.xds.wire import bytes_field, field_head, string_field, varint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (1, b"\x01"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (2**32, b"\x80\x80\x80\x80\x10")],
)
def test_varint(value: int, encoded: bytes) -> None:
    """Seven bits a byte, the lowest first, and a high bit on all bytes but the last."""
    assert varint(value) == encoded


@given(text=st.text(max_size=300), payload=st.binary(min_size=1, max_size=300))
def test_fields_are_what_protobuf_writes(text: str, payload: bytes) -> None:
    """A joined message is byte for byte the one that the library serialises."""
    assert string_field(1, text) + bytes_field(2, payload) == Any(type_url=text, value=payload).SerializeToString()


def test_empty_string_is_not_written_but_empty_bytes_are() -> None:
    """Proto3 leaves out an empty string; an empty message is present."""
    assert string_field(3, "") == b""
    assert bytes_field(3, b"") == b"\x1a\x00"


def test_head_of_a_high_field_number() -> None:
    """Field numbers above 15 take two bytes."""
    assert field_head(16, 5) == b"\x82\x01\x05"
