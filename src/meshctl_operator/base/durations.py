"""Durations in Go notation (``1h30m``, ``24h``, ``8ms``), as Istio and Kubernetes write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_UNIT_NANOS: Final = {
    "ns": 1,
    "us": 1_000,
    "\N{MICRO SIGN}s": 1_000,
    "\N{GREEK SMALL LETTER MU}s": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_MAX_NANOS: Final = 2**63 - 1  # Go keeps a duration in an int64


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """An exact length of time in nanoseconds; may be negative."""

    nanos: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read Go notation (``time.ParseDuration``). Raises ValueError for anything else."""
        sign, body = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
        if body == "0":
            return cls(0)
        total, end = 0, 0
        for part in _PART.finditer(body):
            if part.start() != end:
                break
            whole, _, fraction = part[1].partition(".")
            unit = _UNIT_NANOS[part[2]]
            total += int(whole or "0") * unit + int(fraction or "0") * unit // 10 ** len(fraction)
            end = part.end()
        if not body or end != len(body) or total > _MAX_NANOS:
            msg = f"{text!r} is not a duration"
            raise ValueError(msg)
        return cls(sign * total)

    @classmethod
    def of(cls, *, seconds: float = 0, milliseconds: int = 0) -> Duration:
        """Build a duration from seconds and milliseconds."""
        return cls(int(seconds * 1_000_000_000) + milliseconds * 1_000_000)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.nanos / 1_000_000_000

    def __str__(self) -> str:
        """Return Go notation: ``1h30m0s``, ``8ms``, ``0s``."""
        if self.nanos == 0:
            return "0s"
        sign, rest = ("-", -self.nanos) if self.nanos < 0 else ("", self.nanos)
        if rest < _UNIT_NANOS["s"]:
            unit = "ms" if rest >= _UNIT_NANOS["ms"] else "us" if rest >= _UNIT_NANOS["us"] else "ns"
            return f"{sign}{_decimal(rest, _UNIT_NANOS[unit])}{unit}"
        hours, rest = divmod(rest, _UNIT_NANOS["h"])
        minutes, rest = divmod(rest, _UNIT_NANOS["m"])
        text = f"{_decimal(rest, _UNIT_NANOS['s'])}s"
        if hours or minutes:
            text = f"{minutes}m{text}"
        return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    fraction = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
