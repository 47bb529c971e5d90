"""What the connection manager makes of a path before routes see it (Envoy ``PathUtil``)."""

from __future__ import annotations

import re
from typing import Final

_ESCAPED_SLASHES: Final = re.compile(r"%2f|%5c", re.IGNORECASE)
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT: Final = _UNRESERVED | frozenset("!$&'()*+,/:;=@[]%")
_ESCAPE: Final = re.compile(r"%([0-9a-fA-F]{2})")


def unescape_slashes(path: str) -> str:
    """Return the path with ``%2F`` and ``%5C`` as the characters that they stand for; the query stays."""
    bare, mark, query = path.partition("?")
    return _ESCAPED_SLASHES.sub(lambda found: "/" if found[0].lower() == "%2f" else "\\", bare) + mark + query


def merge_slashes(path: str) -> str:
    """Return the path with one slash for each run of slashes; the query stays."""
    bare, mark, query = path.partition("?")
    return re.sub(r"/{2,}", "/", bare) + mark + query


def normalize(path: str) -> str | None:
    """Return the path without ``.`` and ``..``, in the form of RFC 3986; the query stays. None where Envoy refuses it (400)."""
    bare, mark, query = path.partition("?")
    if not bare.startswith("/"):
        return None
    text = _characters(bare.replace("\\", "/"))
    if text is None:
        return None
    segments: list[str] = []
    parts = text.split("/")[1:]
    for index, segment in enumerate(parts):
        last = index == len(parts) - 1
        if segment in {".", ".."}:
            if segment == ".." and segments:
                segments.pop()
            if last:
                segments.append("")
        else:
            segments.append(segment)
    return "/" + "/".join(segments) + mark + query


def _characters(path: str) -> str | None:
    """Return the path with escapes of unreserved characters undone and what must be escaped escaped; None for a NUL."""
    if "%00" in path:
        return None

    def undone(found: re.Match[str]) -> str:
        letter = chr(int(found[1], 16))
        return letter if letter in _UNRESERVED else found[0]

    unescaped = _ESCAPE.sub(undone, path)
    return "".join(letter if letter in _KEPT else "".join(f"%{byte:02X}" for byte in letter.encode()) for letter in unescaped)
