"""Whether one match takes all that another one takes."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.inputs.routes import (
    ClaimMatchInput,
    HeaderMatchInput,
    MatchKind,
    QueryMatchInput,
    RouteMatchInput,
    TextMatchInput,
)
from meshctl_operator.compiler.plan.coverage import covers, excludes, implies, takes_every_path

KINDS = {"=": MatchKind.EXACT, "^": MatchKind.PREFIX, "~": MatchKind.REGEX}


def text(shown: str) -> TextMatchInput:
    """Return a comparison: ``=a`` exact, ``^a`` prefix, ``~a`` regular expression, empty for presence."""
    return TextMatchInput(KINDS[shown[0]], shown[1:]) if shown else TextMatchInput(MatchKind.PRESENT)


@pytest.mark.parametrize(
    ("narrow", "wide", "result"),
    [
        ("=a", "=a", True),
        ("=ab", "^a", True),
        ("^ab", "^a", True),
        ("^a", "^ab", False),
        ("^a", "=a", False),
        ("=ab", "~a.*", True),
        ("~ab", "^a", True),
        ("~ab*", "^a", False),
        ("~ab*", "~ab*", True),
        ("~ab*", "", True),
        ("", "^a", False),
        ("^a", "~.*", False),
    ],
)
def test_implies(narrow: str, wide: str, result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """A text implies another where all its values fit that; where it is unsure the answer is no."""
    assert implies(text(narrow), text(wide)) is result


@pytest.mark.parametrize(
    ("one", "other", "result"), [("=a", "=b", True), ("=a", "^a", False), ("^a", "^b", True), ("^a", "^ab", False), ("~.*", "^a", False)]
)
def test_excludes(one: str, other: str, result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """Two texts exclude each other where no value fits both."""
    assert excludes(text(one), text(other)) is excludes(text(other), text(one)) is result


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ("^/", "~/x+", True),
        ("~.*", "=/a", True),
        ("^/a", "=/ab", True),
        ("=/a", "^/a", False),
        ("~/a|/b", "=/b", True),
        ("~/a|/b", "=/c", False),
        ("^/a", "~/ab?", False),
    ],
)
def test_paths(earlier: str, later: str, result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """A path covers another where it takes all of its paths."""
    assert covers(RouteMatchInput(text(earlier)), RouteMatchInput(text(later))) is result


@pytest.mark.parametrize(
    ("earlier", "ignores", "later", "later_ignores", "result"),
    [
        ("^/a", True, "=/AB", False, True),
        ("^/a", True, "=/AB", True, True),
        ("^/a", False, "=/ab", True, False),
        ("^/1", False, "^/12", True, True),
        ("^/1", False, "=/1a", True, True),
        ("=/1", False, "=/1", True, True),
        ("~/a", False, "=/a", True, False),
        ("^/a", True, "~/A", True, False),
    ],
)
def test_case(earlier: str, ignores: bool, later: str, later_ignores: bool, result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """A path that looks at case covers none that does not, unless it has no letters."""
    one, other = RouteMatchInput(text(earlier), not ignores), RouteMatchInput(text(later), not later_ignores)
    assert covers(one, other) is result


@pytest.mark.parametrize(
    ("earlier", "later", "result"),
    [
        ((), ("x=a",), True),
        (("x=a",), (), False),
        (("x",), ("X^a",), True),
        (("x^a",), ("x=ab",), True),
        (("!x",), ("!x",), True),
        (("!x",), ("!x=a",), False),
        (("!x=a",), ("!x",), True),
        (("!x=a",), ("x=b",), True),
        (("!x=a",), ("x",), False),
        (("!x=ab",), ("!x^a",), True),
        (("!x^a",), ("!x=ab",), False),
        ((":method",), (), True),
        (("!x=",), ("!x",), False),
    ],
)
def test_headers(earlier: tuple[str, ...], later: tuple[str, ...], result: bool) -> None:  # noqa: FBT001  (a row of the table)
    """Every condition of the earlier match must follow from one of the later match; a missing header counts as empty."""

    def match(shown: tuple[str, ...]) -> RouteMatchInput:
        return RouteMatchInput(headers=tuple(_header(each) for each in shown))

    assert covers(match(earlier), match(later)) is result


def test_query() -> None:
    """Parameters follow from parameters of the same name and case."""
    one = RouteMatchInput(query=(QueryMatchInput("q", text("")),))
    assert covers(one, RouteMatchInput(query=(QueryMatchInput("q", text("=a")),)))
    assert not covers(one, RouteMatchInput(query=(QueryMatchInput("Q", text("=a")),)))


def test_every_path() -> None:
    """All paths begin with a slash."""
    assert [takes_every_path(RouteMatchInput(text(shown))) for shown in ("^/", "^", "~.*", "^/a", "=/")] == [True, True, True, False, False]


def _header(shown: str) -> HeaderMatchInput:
    bare = shown.removeprefix("!")
    start = next((index for index, letter in enumerate(bare) if letter in KINDS), len(bare))
    return HeaderMatchInput(bare[:start], text(bare[start:]), invert=shown.startswith("!"))


def test_claims_of_tokens_are_conditions() -> None:
    """A match that wants a claim takes only what wants the same one."""
    admin, guest = (ClaimMatchInput(("group",), TextMatchInput(MatchKind.EXACT, name)) for name in ("admin", "guest"))
    assert not covers(RouteMatchInput(claims=(admin,)), RouteMatchInput(claims=(guest,)))
    assert not covers(RouteMatchInput(claims=(admin,)), RouteMatchInput())
    assert covers(RouteMatchInput(claims=(admin,)), RouteMatchInput(claims=(guest, admin)))
    assert covers(RouteMatchInput(), RouteMatchInput(claims=(admin,)))
