"""Header maps."""

from __future__ import annotations

from meshctl_operator.simulation.headers import Headers

SOME = Headers.of((("Host", "a"), ("X-B", "1"), ("x-c", "2"), ("x-b", "3")))


def test_names_have_no_case() -> None:
    """A name is found in any case, and Host is the authority; several values are joined by commas."""
    assert SOME.get("x-b") == SOME.get("X-B") == "1,3"
    assert SOME.get("host") == SOME.get(":authority") == "a"
    assert SOME.get("nope") is None
    assert SOME.text("nope") == ""


def test_set_replaces_all_values() -> None:
    """A header that is set has one value, in the place of the first; a new one comes last."""
    assert SOME.having("x-b", "9").entries == ((":authority", "a"), ("x-b", "9"), ("x-c", "2"))
    assert SOME.having("X-D", "9").entries[-1] == ("x-d", "9")


def test_add_and_remove() -> None:
    """An added value comes behind the others, and all values of a name are removed together."""
    assert SOME.adding("X-B", "4").get("x-b") == "1,3,4"
    assert SOME.without("X-B", "x-c").entries == ((":authority", "a"),)


def test_bare_path() -> None:
    """The path that routes see has neither query nor fragment."""
    assert Headers.of(((":path", "/a?b=/c#d"),)).bare_path == "/a"
