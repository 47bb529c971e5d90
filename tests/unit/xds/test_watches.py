"""Unit tests of what one type on one stream knows: what the client holds, and what it should be told."""

from __future__ import annotations

import pytest

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.xds.delta import DeltaWatch
from meshctl_operator.xds.differences import Claims
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.watches import UNKNOWN, Pending, changes_of, size_of
from tests.support.xds_rig import sample


def clusters(**marks: str) -> ShardedMap[XdsResource]:
    """Return clusters by name and mark."""
    return ShardedMap.of({name: sample(TypeUrl.CLUSTER, name, mark) for name, mark in marks.items()})


def version(name: str, mark: str = "1") -> str:
    """Return the version of a cluster."""
    return sample(TypeUrl.CLUSTER, name, mark).version


def subscribe(watch: DeltaWatch, *names: str) -> None:
    """Want these names as well; without names, everything."""
    watch.retain(watch.subscription.update(names, ()))


def unsubscribe(watch: DeltaWatch, *names: str) -> None:
    """Do not want these names any more."""
    watch.retain(watch.subscription.update((), names))


@pytest.fixture
def watch() -> DeltaWatch:
    """Return a watch of nothing yet."""
    return DeltaWatch(TypeUrl.CLUSTER, Sharing())


def test_nothing_is_told_unless_it_is_wanted(watch: DeltaWatch) -> None:
    """What is not subscribed is neither told nor held."""
    assert not watch.pending(clusters(a="1"))
    assert (watch.begun, watch.held(), watch.version("a")) == (False, {}, None)


def test_what_was_told_is_held_by_reference(watch: DeltaWatch) -> None:
    """After a complete answer the watch has nothing of its own: the mapping says what the client holds."""
    subscribe(watch)
    state = clusters(a="1", b="1")
    assert watch.pending(state) == Pending(("a", "b"))
    watch.tell(state, ())
    assert watch.held() == {"a": version("a"), "b": version("b")}
    assert watch._told is state
    assert not watch._exceptions


def test_an_equal_mapping_takes_the_place_of_the_old_one(watch: DeltaWatch) -> None:
    """If nothing differs that the client wants, the old mapping is let go."""
    subscribe(watch, "a")
    watch.tell(clusters(a="1", b="1"), ())
    state = clusters(a="1", b="2")
    assert not watch.pending(state)
    assert watch._told is state


def test_asked_names_are_told_whether_they_exist_or_not(watch: DeltaWatch) -> None:
    """A name that is asked for is sent, or its absence is told, whatever the client holds, and once."""
    state = clusters(a="1", b="1")
    subscribe(watch, "a", "b", "ghost")
    watch.claim(Claims({"a": version("a"), "b": version("b")}), frozenset({"a", "ghost"}))
    assert [watch.version(name) for name in ("a", "b", "ghost", "other")] == [UNKNOWN, version("b"), UNKNOWN, None]
    assert watch.pending(state) == Pending(("a",), ("ghost",))
    watch.tell(state, ())
    assert not watch.pending(state)
    watch.ask_again("b")
    assert watch.pending(state) == Pending(("b",))


def test_late_removals_stay_held(watch: DeltaWatch) -> None:
    """A removal that is held back is told later, unless the name comes back as it was."""
    before, after = clusters(a="1", b="1"), clusters(a="2")
    subscribe(watch)
    watch.tell(before, ())
    watch.tell(after, ("b",))
    assert watch.version("b") == version("b")
    assert watch.pending(after) == Pending((), ("b",))
    assert not watch.pending(clusters(a="2", b="1"))
    watch.tell(after, ("b",))
    watch.tell(after, ())
    assert not watch.pending(after)


def test_unwanted_names_are_forgotten(watch: DeltaWatch) -> None:
    """A name that is not wanted any more is not held, and if it is wanted again it is told again."""
    state = clusters(a="1", b="1")
    subscribe(watch, "a", "b")
    watch.tell(state, ())
    unsubscribe(watch, "b")
    assert watch.held() == {"a": version("a")}
    assert not watch.pending(clusters(a="1"))
    subscribe(watch, "b")
    assert watch.version("b") is None
    assert watch.pending(state) == Pending(("b",))


def test_the_wildcard_changes_what_is_wanted_not_what_is_held(watch: DeltaWatch) -> None:
    """When the wildcard begins the other names are told, when it ends the named ones stay."""
    state = clusters(a="1", b="1")
    subscribe(watch, "a")
    watch.tell(state, ())
    subscribe(watch, "*")
    assert watch.pending(state) == Pending(("b",))
    watch.tell(state, ())
    unsubscribe(watch, "*")
    assert watch.held() == {"a": version("a")}
    assert not watch.pending(clusters(a="1", b="2"))


def test_a_name_of_its_own_under_the_wildcard_stays_held(watch: DeltaWatch) -> None:
    """Subscribing to a name that the wildcard covers does not make it unknown."""
    state = clusters(a="1")
    subscribe(watch)
    watch.tell(state, ())
    subscribe(watch, "a")
    assert watch.version("a") == version("a")


def test_an_answer_may_be_due_without_changes(watch: DeltaWatch) -> None:
    """An empty answer is one as well, once."""
    subscribe(watch)
    watch.answer_due = True
    assert watch.pending(EMPTY_MAP) == Pending(due=True)
    watch.tell(EMPTY_MAP, ())
    assert not watch.pending(EMPTY_MAP)


def test_sizes_and_changes_are_those_of_the_resources() -> None:
    """The size of a response is that of its bodies; its changes are versions, and None for what is removed."""
    state = clusters(a="1", b="1", c="1")
    sizes = {name: state[name].body_size for name in state}
    assert size_of(state, ("a", "b")) == sizes["a"] + sizes["b"]
    assert size_of(state, ("a", "b", "c")) == sum(sizes.values())
    assert changes_of([state["a"]], ("z",)) == {"a": version("a"), "z": None}


def test_resources_are_listed_in_order(watch: DeltaWatch) -> None:
    """Few or many, the resources come in the order of the names."""
    state = clusters(**{f"c{number}": "1" for number in range(200)})
    few = tuple(state)[5:8]
    assert [resource.name for resource in watch.listed(state, few)] == list(few)
    assert [resource.name for resource in watch.listed(state, tuple(state))] == list(state)
