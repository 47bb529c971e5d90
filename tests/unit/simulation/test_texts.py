"""Comparisons of texts."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import json_format

from meshctl_operator.simulation.texts import ascii_lower, describe_matcher, matches_text, replace_all


@pytest.mark.parametrize(
    ("matcher", "value", "fits"),
    [
        ({"exact": "a"}, "a", True),
        ({"exact": "a"}, "A", False),
        ({"exact": "a", "ignore_case": True}, "A", True),
        ({"prefix": "a"}, "ab", True),
        ({"suffix": "b"}, "ab", True),
        ({"suffix": "b"}, "ba", False),
        ({"contains": "B", "ignore_case": True}, "abc", True),
        ({"safe_regex": {"regex": "a|ab"}}, "ab", True),
        ({"safe_regex": {"regex": "a"}}, "ab", False),
        ({"safe_regex": {"regex": "a"}, "ignore_case": True}, "A", False),
        ({}, "a", False),
    ],
)
def test_matchers(matcher: dict[str, Any], value: str, fits: bool) -> None:  # noqa: FBT001  (a row of the table)
    """Each kind of comparison has its rule; regular expressions fit whole values and always look at case."""
    assert matches_text(json_format.ParseDict(matcher, string_pb2.StringMatcher()), value) is fits


def test_case_is_ascii() -> None:
    """Only A to Z have a lower case."""
    assert ascii_lower("AZÄ") == "azÄ"


def test_descriptions() -> None:
    """A matcher is described by its kind and text."""
    assert describe_matcher(string_pb2.StringMatcher(prefix="/a")) == 'prefix "/a"'
    assert describe_matcher(json_format.ParseDict({"safe_regex": {"regex": "x.*"}}, string_pb2.StringMatcher())) == 'regex "x.*"'


@pytest.mark.parametrize(
    ("pattern", "substitution", "text", "result"),
    [
        (".*", "x", "/abc", "x"),
        ("b*", "-", "abc", "-a-c-"),
        ("^/(a)(b)?", r"/\2-\1\\\0", "/a/a", "/-a\\/a/a"),
        ("^/a", "/", "/a/a", "//a"),
        ("/$", "", "/a/", "/a"),
        ("x", "y", "/a", "/a"),
    ],
)
def test_replacing(pattern: str, substitution: str, text: str, result: str) -> None:
    """All matches are replaced as RE2 does it: an empty match directly behind another is none, and anchors hold for the whole text."""
    assert replace_all(pattern, substitution, text) == result
