"""Emitting matchers."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.compiler.emit.routes.matches import emit_header_match, emit_match
from meshctl_operator.compiler.inputs.routes import HeaderMatchInput, MatchKind, QueryMatchInput, RouteMatchInput, TextMatchInput
from tests.support.mesh_text import as_json

PRESENT = TextMatchInput(MatchKind.PRESENT)
EXACT = TextMatchInput(MatchKind.EXACT, "v")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (TextMatchInput(MatchKind.EXACT, "/a"), {"path": "/a"}),
        (TextMatchInput(MatchKind.PREFIX, "/a"), {"prefix": "/a"}),
        (TextMatchInput(MatchKind.REGEX, "/a.*"), {"safe_regex": {"regex": "/a.*"}}),
    ],
)
def test_path(path: TextMatchInput, expected: dict[str, Any]) -> None:
    """Each kind of path has its field; case is said only where the Input says it."""
    assert as_json(emit_match(RouteMatchInput(path))) == expected
    assert as_json(emit_match(RouteMatchInput(path, case_sensitive=False))) == {**expected, "case_sensitive": False}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (HeaderMatchInput("x", PRESENT), {"name": "x", "present_match": True}),
        (HeaderMatchInput("x", PRESENT, invert=True), {"name": "x", "present_match": True, "invert_match": True}),
        (HeaderMatchInput("x", EXACT), {"name": "x", "string_match": {"exact": "v"}}),
        (
            HeaderMatchInput("x", EXACT, invert=True),
            {"name": "x", "string_match": {"exact": "v"}, "invert_match": True, "treat_missing_header_as_empty": True},
        ),
    ],
)
def test_header(header: HeaderMatchInput, expected: dict[str, Any]) -> None:
    """An inverted comparison holds for requests that lack the header."""
    assert as_json(emit_header_match(header)) == expected


def test_query_parameters() -> None:
    """Query parameters are present or compared."""
    match = RouteMatchInput(query=(QueryMatchInput("a", PRESENT), QueryMatchInput("b", EXACT)))
    assert as_json(emit_match(match))["query_parameters"] == [
        {"name": "a", "present_match": True},
        {"name": "b", "string_match": {"exact": "v"}},
    ]
