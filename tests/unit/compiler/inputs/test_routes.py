"""Inputs of route configurations."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.inputs.routes import (
    ForwardInput,
    HeaderMatchInput,
    HeaderOperationsInput,
    HeaderValueInput,
    MatchKind,
    QueryMatchInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    TextMatchInput,
    VirtualHostInput,
)

PRESENT = TextMatchInput(MatchKind.PRESENT)


@pytest.mark.parametrize(
    ("match", "catch_all"),
    [
        (RouteMatchInput(), True),
        (RouteMatchInput(case_sensitive=False), True),
        (RouteMatchInput(TextMatchInput(MatchKind.REGEX, ".*")), True),
        (RouteMatchInput(TextMatchInput(MatchKind.REGEX, "/.*")), False),
        (RouteMatchInput(TextMatchInput(MatchKind.PREFIX, "")), False),
        (RouteMatchInput(TextMatchInput(MatchKind.EXACT, "/")), False),
        (RouteMatchInput(headers=(HeaderMatchInput("x", PRESENT),)), False),
        (RouteMatchInput(query=(QueryMatchInput("x", PRESENT),)), False),
    ],
)
def test_catch_all(match: RouteMatchInput, catch_all: bool) -> None:  # noqa: FBT001  (a column of the table)
    """A matcher catches all if it asks nothing but the path /."""
    assert match.is_catch_all == catch_all


def test_operations_are_joined() -> None:
    """Operations of a destination follow those of the rule."""
    first = HeaderOperationsInput((HeaderValueInput("a", "1", append=False),), ("b",), (), ("c",))
    second = HeaderOperationsInput((HeaderValueInput("d", "2", append=True),), ("e",))
    assert first.then(second) == HeaderOperationsInput(first.request_add + second.request_add, ("b", "e"), (), ("c",))


def host(name: str = "a") -> VirtualHostInput:
    """Return a virtual host with one route."""
    return VirtualHostInput(name, ("a",), (RouteInput(RouteMatchInput(), ForwardInput("c")),))


def test_equal_virtual_hosts_have_one_hash() -> None:
    """The kept hash is no part of equality: a host that was hashed equals one that was not."""
    hashed, fresh = host(), host()
    assert hash(hashed) == hash(hashed)
    assert hashed == fresh
    assert hash(hashed) == hash(fresh)
    assert host("b") != hashed
    assert hash(host("b")) != hash(hashed)


def test_route_configuration_is_a_key() -> None:
    """A whole route configuration can be looked up by value."""
    assert {RouteConfigurationInput("9080", (host(),)): 1}[RouteConfigurationInput("9080", (host(),))] == 1
