"""Regular expressions."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.plan.route_regexes import regex_problem, substitution_problem


@pytest.mark.parametrize(
    ("pattern", "fine"),
    [
        ("/a.*", True),
        ("", False),
        ("(", False),
        ("(?=x)", False),
        (r"(a)\1", False),
        ("*", False),
        ("x" * 1025, False),
        ("((a{1,30}){1,30}){1,40}", False),
        (r"[\pL]{1,900}", False),
    ],
    ids=["plain", "empty", "open", "look-ahead", "back-reference", "star", "long", "repeated", "large program"],
)
def test_regex(pattern: str, fine: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Patterns are judged by RE2, with Istio's limits of length and program size."""
    assert (regex_problem(pattern) is None) == fine


@pytest.mark.parametrize(
    ("pattern", "substitution", "fine"),
    [
        ("/(a)", r"/\1", True),
        ("/(a)", r"/\0", True),
        ("/a", r"\\", True),
        ("/a", "/b", True),
        ("/(a)", r"\2", False),
        ("/(a)", r"\x", False),
        ("/(a)", "\\", False),
        ("(", r"\1", True),
    ],
)
def test_substitution(pattern: str, substitution: str, fine: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Groups that are referred to must exist; a broken pattern is reported for itself."""
    assert (substitution_problem(pattern, substitution) is None) == fine
