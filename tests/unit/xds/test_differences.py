"""Unit tests of what differs between what a client was told and what it should be told."""

from __future__ import annotations

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.xds.differences import Claims, Difference, compare, missing, version_in, versions_in
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from tests.support.xds_rig import sample


def clusters(**marks: str) -> ShardedMap[XdsResource]:
    """Return clusters by name and mark."""
    return ShardedMap.of({name: sample(TypeUrl.CLUSTER, name, mark) for name, mark in marks.items()})


def test_new_changed_and_gone_names_are_found_in_order() -> None:
    """What is equal in version is not told, even if it is another object; both lists are sorted."""
    old, new = clusters(d="1", c="1", b="1", a="1"), clusters(a="2", c="1", f="1", e="1")
    assert compare(old, new) == Difference(("a", "e", "f"), ("b", "d"))
    assert compare(EMPTY_MAP, new) == Difference(("a", "c", "e", "f"), ())


def test_unshared_shards_alone_are_compared() -> None:
    """A changed copy differs in what was changed."""
    old = clusters(**{f"cluster-{number}": "1" for number in range(200)})
    new = old.with_items({"cluster-7": sample(TypeUrl.CLUSTER, "cluster-7", "2")}).without(["cluster-9"])
    assert compare(old, new) == Difference(("cluster-7",), ("cluster-9",))


def test_claims_are_compared_by_version() -> None:
    """What a client says that it holds counts like what it was sent."""
    held = Claims({"a": sample(TypeUrl.CLUSTER, "a").version, "b": "old", "gone": "1"})
    assert compare(held, clusters(a="1", b="1", c="1")) == Difference(("b", "c"), ("gone",))


def test_versions_are_those_of_either_kind_of_holding() -> None:
    """Resources and claims have versions by name, and none for names that they do not have."""
    sent, claimed = clusters(a="1"), Claims({"a": sample(TypeUrl.CLUSTER, "a").version})
    assert versions_in(sent) == versions_in(claimed) == {"a": version_in(sent, "a")}
    assert (version_in(sent, "b"), version_in(claimed, "b")) == (None, None)


def test_missing_names_are_sorted() -> None:
    """Of some names, those that do not exist."""
    assert missing(frozenset({"z", "a", "b"}), clusters(b="1")) == ("a", "z")
