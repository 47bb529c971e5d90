"""The search for virtual hosts that make a client reject a whole route configuration."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.route_pieces import pieces, with_pieces
from meshctl_operator.xds.route_search import Found, RouteSearch
from tests.unit.xds.test_route_pieces import domains_of, routes

NAMES = list("abcdefghij")
BAD = "bad"


def search(accepted: XdsResource | None, target: XdsResource, *, shell_is_bad: bool = False) -> tuple[XdsResource | None, list[str]]:
    """Search with a client that rejects bad domains, and bad shells; returns what it has in the end, and what was found. Must end."""
    held: dict[str, XdsResource | None] = {}
    found: list[str] = []
    wanted = target
    going = RouteSearch(accepted, target)
    for _ in range(100):
        served = going.serve(wanted)
        if shell_is_bad or BAD in domains_of(served).values():
            result = going.rejected(served.version)
            if result == Found():
                return accepted, [*found, "all"]
            if result is not None and result.piece is not None:
                found.append(result.piece.name)
                held[result.piece.version] = pieces(accepted).get(result.piece.name) if accepted is not None else None
                wanted = with_pieces(target, held)
        else:
            accepted = served
            going.accepted(served.version)
            if going.over:
                return accepted, found
    raise AssertionError("the search does not end")


@given(
    before=st.sets(st.sampled_from(NAMES)), after=st.sets(st.sampled_from(NAMES)), bad=st.sets(st.sampled_from(NAMES)), fresh=st.booleans()
)
def test_the_good_get_through(before: set[str], after: set[str], bad: set[str], *, fresh: bool) -> None:
    """Whatever is bad, the client ends with all good virtual hosts, what it had of the bad ones, and exactly these are found, once."""
    accepted = None if fresh else routes(**dict.fromkeys(sorted(before), "one"))
    target = routes(**{name: BAD if name in bad else "two" for name in sorted(after)})
    held, found = search(accepted, target)
    stays = {} if fresh else dict.fromkeys(before & after & bad, "one")
    assert held is not None
    assert domains_of(held) == dict.fromkeys(after - bad, "two") | stays
    assert sorted(found) == sorted(f"80/{name}" for name in after & bad)


def test_all_of_it_may_be_the_reason() -> None:
    """Where the client rejects it without a virtual host, or with those that it has, it is nothing about these."""
    assert search(None, routes(a="1", b="2"), shell_is_bad=True) == (None, ["all"])
    assert search(None, routes(), shell_is_bad=True) == (None, ["all"])
    old = routes(a="1")
    other = make_resource(TypeUrl.ROUTE, "80", old.body + b"\x18\x01")
    assert RouteSearch(old, other).rejected(other.version) == Found()


def test_answers_to_something_else_say_nothing() -> None:
    """What a client says of an earlier version does not count."""
    target = routes(a="1", b=BAD)
    going = RouteSearch(None, target)
    assert going.rejected("another") is None
    going.accepted("another")
    assert going.serve(target) is target
    assert not going.over
