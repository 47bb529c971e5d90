"""What Envoy accepts as header names and values; one wrong text would cost the whole route configuration."""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PSEUDO: Final = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_BYTES: Final = 16384  # Envoy's limit of names and values (validation of core.v3.HeaderValue)


def header_name_problem(name: str, *, pseudo: bool) -> str | None:
    """Return why Envoy would refuse a header name. ``pseudo`` allows ``:method`` and its like."""
    if name.startswith(":"):
        return None if pseudo and name in _PSEUDO else "is a pseudo header, which cannot be used here"
    if not _TOKEN.fullmatch(name):
        return "is no header name"
    return "is longer than Envoy allows" if len(name) > _MAX_BYTES else None


def plain_text_problem(text: str) -> str | None:
    """Return why Envoy would refuse a text that ends up in a header line."""
    if control := _CONTROL.search(text):
        return f"has the control character {control[0]!r}"
    return "is longer than Envoy allows" if len(text.encode(errors="replace")) > _MAX_BYTES else None
