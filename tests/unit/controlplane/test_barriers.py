"""What a stream owes, change by change."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.resources import compiled_resource
from meshctl_operator.controlplane.barriers import EVERYTHING, MOST_BARRIERS, MOST_NAMES, Barriers, Change, change_between
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState, view_state

RULE = ObjectKey("VirtualService", "default", "rule")
SERVICE = ObjectKey("Service", "default", "a")
NOBODY: frozenset[ObjectKey] = frozenset()


def made(type_url: TypeUrl, name: str, body: bytes = b"1", *sources: ObjectKey) -> XdsResource:
    """Return a resource that comes from objects."""
    return compiled_resource(type_url, name, body, (tuple(sources),))


def change(*names: tuple[TypeUrl, str]) -> Change:
    """Return a change of names that comes from nothing."""
    return Change(frozenset(names), NOBODY)


def test_a_change_is_what_differs_and_where_that_comes_from() -> None:
    """New, changed and removed names, with the routing objects of both sides; other objects have no status."""
    old = view_state(1, [made(TypeUrl.LISTENER, "gone", b"1", RULE), made(TypeUrl.CLUSTER, "same"), made(TypeUrl.CLUSTER, "other", b"1")])
    new = view_state(2, [made(TypeUrl.CLUSTER, "same"), made(TypeUrl.CLUSTER, "other", b"2", SERVICE)])
    found = change_between(old, new)
    assert found.names == frozenset({(TypeUrl.LISTENER, "gone"), (TypeUrl.CLUSTER, "other")})
    assert found.objects == {RULE}


def test_removals_that_are_late_or_never_told_are_not_owed() -> None:
    """Clusters stay for requests under way, and virtual hosts of a route configuration that is gone go with it."""
    kept, gone = made(TypeUrl.ROUTE, "80"), made(TypeUrl.ROUTE, "81")
    hosts = [made(TypeUrl.VIRTUAL_HOST, name) for name in ("80/a:80", "81/a:81")]
    old = view_state(1, [made(TypeUrl.CLUSTER, "c"), kept, gone, *hosts])
    assert change_between(old, view_state(2, [kept])).names == frozenset({(TypeUrl.VIRTUAL_HOST, "80/a:80")})


def test_too_many_names_are_not_told_apart() -> None:
    """Such a change is in force when nothing is left to say."""
    many = view_state(2, [made(TypeUrl.CLUSTER, f"c{number}") for number in range(MOST_NAMES + 1)])
    assert change_between(ViewState(1, {}), many).names is None


def test_a_change_is_in_force_once_all_of_it_is_answered() -> None:
    """An acknowledged listener still waits for its route configuration."""
    barriers = Barriers(whole_routes=False)
    barriers.looked(4)
    barriers.owe(change((TypeUrl.LISTENER, "l"), (TypeUrl.ROUTE, "r")), 7, 7)
    assert barriers.through == 4
    assert not barriers.answered(TypeUrl.LISTENER, ["l"], 7)
    assert barriers.through == 4
    assert barriers.answered(TypeUrl.ROUTE, ["r"], 7)
    assert barriers.through == 7


def test_an_answer_to_an_older_state_counts_for_older_changes_alone() -> None:
    """A name that changed again while it was on its way is owed again."""
    barriers = Barriers(whole_routes=False)
    barriers.looked(0)
    barriers.owe(change((TypeUrl.ROUTE, "r")), 1, 1)
    barriers.owe(change((TypeUrl.ROUTE, "r")), 2, 2)
    assert barriers.answered(TypeUrl.ROUTE, ["r"], 1)
    assert barriers.through == 1
    assert barriers.answered(TypeUrl.ROUTE, ["r"], 2)
    assert barriers.through == 2


def test_a_newer_answer_counts_for_what_it_replaces() -> None:
    """Ten changes while a client is slow are one response."""
    barriers = Barriers(whole_routes=False)
    for revision in range(1, 11):
        barriers.owe(change((TypeUrl.ROUTE, "r")), revision, revision)
    assert barriers.answered(TypeUrl.ROUTE, ["r"], 10)
    assert barriers.through == 10


def test_what_concerns_a_stream_not_at_all_is_in_force_at_once() -> None:
    """It was looked at, and nothing differs."""
    barriers = Barriers(whole_routes=False)
    barriers.owe(change(), 3, 3)
    assert barriers.through == 3
    barriers.looked(5)
    assert barriers.through == 5


def test_a_new_stream_has_everything_once_it_rests_and_has_asked_for_everything() -> None:
    """An Envoy asks for listeners when its clusters are warm: it rests before, and has not been told half of it."""
    barriers = Barriers(whole_routes=False)
    barriers.owe(EVERYTHING, 3, 3)
    assert not barriers.rested(3)
    assert barriers.through == -1
    barriers.introduced = True
    assert not barriers.rested(2)
    assert barriers.rested(3)
    assert barriers.through == 3


def test_whole_route_configurations_answer_for_their_virtual_hosts() -> None:
    """A client that gets them whole is never told a virtual host."""
    barriers = Barriers(whole_routes=True)
    barriers.owe(change((TypeUrl.VIRTUAL_HOST, "80/a:80")), 1, 1)
    assert barriers.answered(TypeUrl.ROUTE, ["80"], 1)
    assert barriers.through == 1


def test_a_client_that_never_answers_does_not_fill_the_memory() -> None:
    """The oldest changes are put together; nothing of them counts as in force before all of it is answered."""
    barriers = Barriers(whole_routes=False)
    barriers.looked(0)
    for revision in range(1, 3 * MOST_BARRIERS):
        barriers.owe(Change(frozenset({(TypeUrl.ROUTE, f"r{revision}")}), frozenset({RULE})), revision, revision)
    assert len(barriers._open) == MOST_BARRIERS
    assert barriers.through == 0
    assert barriers.objects == {RULE}
    assert not barriers.answered(TypeUrl.ROUTE, ["r1"], 3 * MOST_BARRIERS)
    assert barriers.through == 0
    assert barriers.answered(TypeUrl.ROUTE, [f"r{number}" for number in range(3 * MOST_BARRIERS)], 3 * MOST_BARRIERS)
    assert barriers.through == 3 * MOST_BARRIERS - 1
