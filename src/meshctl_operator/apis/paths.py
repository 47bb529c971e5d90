"""Paths into a config object, in the notation of diagnostics: ``spec.http[1].route[0].weight``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]+")
_TOKEN: Final = re.compile(r'\.?([A-Za-z0-9_-]+)|\[(\d+)\]|\["([^"]*)"\]')


def join(base: str, steps: Iterable[str | int]) -> str:
    """Return ``base`` extended by field names, map keys (strings) and list positions (ints).

    A key that would be misread, such as ``app.kubernetes.io/name``, is written ``["app.kubernetes.io/name"]``.
    """
    path = base
    for step in steps:
        path = f"{path}[{step}]" if isinstance(step, int) else child(path, step)
    return path


def child(base: str, key: str) -> str:
    """Return ``base`` extended by one field name or map key."""
    if not _PLAIN.fullmatch(key):
        return f'{base}["{key}"]'
    return f"{base}.{key}" if base else key


def split(path: str) -> tuple[str | int, ...]:
    """Return the steps of a path: the inverse of ``join("", steps)``."""
    return tuple(int(match[2]) if match[2] is not None else match[1] or match[3] or "" for match in _TOKEN.finditer(path))


def parent(path: str) -> str:
    """Return the path of the mapping or list that holds what ``path`` names; empty for the whole object."""
    return join("", split(path)[:-1])
