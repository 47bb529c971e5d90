"""Emitting small values."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.values import emit_duration, emit_fraction, emit_regex, emit_string_matcher
from meshctl_operator.compiler.inputs.routes import Denominator, FractionInput, MatchKind, TextMatchInput
from tests.support.mesh_text import as_json


@pytest.mark.parametrize(
    ("nanos", "seconds", "rest"), [(0, 0, 0), (1_500_000_000, 1, 500_000_000), (-1_500_000_000, -1, -500_000_000), (-1, 0, -1)]
)
def test_duration(nanos: int, seconds: int, rest: int) -> None:
    """Seconds and nanoseconds have one sign."""
    message = emit_duration(Duration(nanos))
    assert (message.seconds, message.nanos) == (seconds, rest)


def test_fraction() -> None:
    """A fraction has its denominator; hundred is Envoy's default."""
    assert as_json(emit_fraction(FractionInput(5))) == {"numerator": 5}
    assert as_json(emit_fraction(FractionInput(5, Denominator.MILLION))) == {"numerator": 5, "denominator": "MILLION"}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        (TextMatchInput(MatchKind.EXACT, ""), {"exact": ""}),
        (TextMatchInput(MatchKind.PREFIX, "p"), {"prefix": "p"}),
        (TextMatchInput(MatchKind.REGEX, "r"), {"safe_regex": {"regex": "r"}}),
        (TextMatchInput(MatchKind.PRESENT), {"safe_regex": {"regex": ".+"}}),
    ],
)
def test_string_matcher(match: TextMatchInput, expected: dict[str, Any]) -> None:
    """Each kind has its field; presence becomes any text."""
    assert as_json(emit_string_matcher(match)) == expected


def test_regex() -> None:
    """RE2 needs no naming."""
    assert as_json(emit_regex("a")) == {"regex": "a"}
