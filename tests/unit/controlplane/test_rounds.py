"""A round knows what its changes did."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.pipeline import Step
from meshctl_operator.controlplane.rounds import Round, differences
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.state import ViewState, view_state

ONE, TWO = ObjectKey("Service", "a", "one"), ObjectKey("Service", "a", "two")


def cluster(name: str, body: bytes = b"") -> XdsResource:
    """Return a cluster."""
    return make_resource(TypeUrl.CLUSTER, name, body)


def state(revision: int, *resources: XdsResource) -> ViewState:
    """Return a state."""
    return view_state(revision, resources)


def test_differences_name_what_is_new_changed_or_gone() -> None:
    """What is equal is none, whatever object it is."""
    old = state(1, cluster("same"), cluster("other", b"1"), cluster("gone"))
    new = state(2, cluster("same"), cluster("other", b"2"), cluster("new"), make_resource(TypeUrl.SECRET, "key", b""))
    assert {(kind.short, name, bool(version)) for kind, name, version in differences(old, new)} == {
        ("CDS", "other", True),
        ("CDS", "new", True),
        ("CDS", "gone", False),
        ("SDS", "key", True),
    }
    assert differences(new, new) == set()


def test_batches_that_join_a_round_add_up() -> None:
    """Objects once each, the newest revision, the time of the first change; each batch is timed by itself."""
    here = Round(5.0)
    here.note(Step(3, (ONE,), ()))
    here.applied(5.0)
    first = here.served(state(1), state(3, cluster("x")))
    here.note(Step(4, (ONE, TWO), (TWO,)))
    here.applied(6.0)
    second = here.served(state(1), state(4, cluster("x")))
    assert (here.since, here.revision) == (5.0, 4)
    assert (list(here.changed), list(here.rejected)) == ([ONE, TWO], [TWO])
    assert [wave.since for wave in here.waves] == [5.0, 6.0]
    assert (first, second) == tuple(here.waves)


def test_resources_are_counted_once_for_all_proxies() -> None:
    """Two proxies of one view, and another view that shares a resource."""
    here = Round(5.0)
    here.applied(5.0)
    old, new = state(1), state(2, cluster("x"), cluster("y"))
    assert not here.reached
    here.served(old, new)
    here.served(old, new)
    here.served(state(1), state(2, cluster("x")))
    assert here.reached
    assert here.resources == 2
