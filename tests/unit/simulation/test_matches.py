"""Route matches."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.matches import matched_path, mismatch, query_values, unsupported
from tests.support.simulations import route_match


def fits(match: dict[str, Any], path: str = "/", *headers: tuple[str, str], draw: int = 0) -> bool:
    """Tell whether a match takes a request."""
    return not mismatch(route_match(**match), Headers.of(((":path", path), (":method", "GET"), *headers)), draw)


@pytest.mark.parametrize(
    ("match", "path", "result"),
    [
        ({"prefix": "/a"}, "/ab", True),
        ({"prefix": "/a"}, "/Ab", False),
        ({"prefix": "/a", "case_sensitive": False}, "/Ab", True),
        ({"prefix": "/a?"}, "/a?b", False),
        ({"path": "/a"}, "/a?b", True),
        ({"path": "/a"}, "/a/", False),
        ({"path": "/a", "case_sensitive": False}, "/A", True),
        ({"safe_regex": {"regex": "/a.*"}}, "/ab?c", True),
        ({"safe_regex": {"regex": "/a"}}, "/ab", False),
        ({"safe_regex": {"regex": "/a"}, "case_sensitive": False}, "/A", False),
        ({"path_separated_prefix": "/a"}, "/a", True),
        ({"path_separated_prefix": "/a"}, "/a/b", True),
        ({"path_separated_prefix": "/a"}, "/ab", False),
        ({"path_separated_prefix": "/a", "case_sensitive": False}, "/A/b", True),
        ({"connect_matcher": {}}, "/", False),
    ],
)
def test_paths(match: dict[str, Any], path: str, result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """Paths are compared without their query."""
    assert fits(match, path) is result


@pytest.mark.parametrize(
    ("matcher", "missing", "a", "b"),
    [
        ({"string_match": {"exact": "a"}}, False, True, False),
        ({"string_match": {"exact": "a"}, "invert_match": True}, False, False, True),
        ({"string_match": {"exact": "a"}, "invert_match": True, "treat_missing_header_as_empty": True}, True, False, True),
        ({"string_match": {"exact": ""}, "treat_missing_header_as_empty": True}, True, False, False),
        ({"present_match": True}, False, True, True),
        ({"present_match": False}, True, False, False),
        ({"present_match": True, "invert_match": True}, True, False, False),
        ({}, False, True, True),
        ({"exact_match": "a"}, False, True, False),
        ({"prefix_match": "a"}, False, True, False),
        ({"suffix_match": "b"}, False, False, True),
        ({"contains_match": "b"}, False, False, True),
        ({"safe_regex_match": {"regex": "[ab]"}}, False, True, True),
    ],
)
def test_headers(matcher: dict[str, Any], missing: bool, a: bool, b: bool) -> None:  # noqa: FBT001  (a row of the table)
    """Every form of a header matcher, for a header that is missing, "a" and "b"."""
    match = {"headers": [{"name": "X", **matcher}]}
    assert [fits(match), fits(match, "/", ("x", "a")), fits(match, "/", ("x", "b"))] == [missing, a, b]


def test_header_ranges() -> None:
    """A range takes whole numbers from its start to below its end."""
    match = {"headers": [{"name": "x", "range_match": {"start": -1, "end": 3}}]}
    assert [fits(match, "/", ("x", value)) for value in ("-1", "2", "3", "2.0", "")] == [True, True, False, False, False]


def test_several_values_are_joined() -> None:
    """Values of one name are compared together."""
    match = {"headers": [{"name": "x", "string_match": {"exact": "a,b"}}]}
    assert fits(match, "/", ("x", "a"), ("x", "b"))
    assert not fits(match, "/", ("x", "a"))


def test_query() -> None:
    """The first of several parameters counts; presence is enough where no value is asked for; nothing is unescaped."""
    asks = {"query_parameters": [{"name": "q", "string_match": {"exact": "a"}}]}
    assert [fits(asks, path) for path in ("/?q=a", "/?q=b&q=a", "/?x&q=a", "/?q", "/", "/?q=%61")] == [
        True,
        False,
        True,
        False,
        False,
        False,
    ]
    present = {"query_parameters": [{"name": "q", "present_match": True}]}
    assert [fits(present, path) for path in ("/?q", "/?q=", "/?Q", "/")] == [True, True, False, False]
    assert query_values("/?a=b=c&d") == {"a": "b=c", "d": ""}


def test_grpc_and_shares() -> None:
    """GRPC is told by its content type, and a share of requests by the draw."""
    assert fits({"grpc": {}}, "/", ("content-type", "application/grpc+proto"))
    assert not fits({"grpc": {}}, "/", ("content-type", "text/html"))
    share = {"runtime_fraction": {"default_value": {"numerator": 30}}}
    assert fits(share, draw=129)
    assert not fits(share, draw=130)


def test_reasons() -> None:
    """A reason names what was wanted and what was there."""
    headers = Headers.of(((":path", "/b?q=1"), ("x", "1")))
    matches: dict[str, dict[str, Any]] = {
        'path "/b" does not start with "/a"': {"prefix": "/a"},
        'header x is "1", wanted is exact "2"': {"headers": [{"name": "x", "string_match": {"exact": "2"}}]},
        "header y is missing, wanted is there": {"headers": [{"name": "y", "present_match": True}]},
        'header x is "1", wanted is not there': {"headers": [{"name": "x", "present_match": True, "invert_match": True}]},
        'query parameter q is "1", wanted is prefix "2"': {"query_parameters": [{"name": "q", "string_match": {"prefix": "2"}}]},
        "query parameter r is missing": {"query_parameters": [{"name": "r", "present_match": True}]},
    }
    assert {mismatch(route_match(**match), headers, 0): match for match in matches.values()} == matches


def test_matched_path() -> None:
    """A prefix rewrite replaces the prefix of a prefix match, and all of the path of others."""
    headers = Headers.of(((":path", "/a/b?c"),))
    assert matched_path(route_match(prefix="/a"), headers) == "/a"
    assert matched_path(route_match(path_separated_prefix="/a"), headers) == "/a"
    assert matched_path(route_match(safe_regex={"regex": ".*"}), headers) == "/a/b"


def test_what_is_not_simulated_is_said() -> None:
    """Matches on what a request does not have are named."""
    assert unsupported(route_match(dynamic_metadata=[{"filter": "x", "path": [{"key": "a"}], "value": {"present_match": True}}])) != ""
    assert unsupported(route_match(tls_context={"presented": True})) == "tls_context"
    assert unsupported(route_match()) == ""
