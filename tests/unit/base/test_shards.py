"""A mapping in shards reads as a dict does, and shares what did not change."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.base.shards import EMPTY_MAP, EMPTY_SHARD, SHARDS, ShardedMap, shard_of

NAMES = st.text("ab|.:1", max_size=6)
ITEMS = st.dictionaries(NAMES, st.integers(0, 3), max_size=12)


@pytest.mark.parametrize(
    "name", ["outbound|80||a.shop", "outbound|80|v1|a.shop", "outbound|9080||a.shop", "a.shop:80", "80/a.shop:80", "A.Shop"]
)
def test_what_is_about_one_host_is_in_one_shard(name: str) -> None:
    """Clusters, subsets, endpoints and virtual hosts of a host move together, whatever their ports and case."""
    assert shard_of(name) == shard_of("a.shop")


def test_numbers_are_the_same_in_every_process() -> None:
    """The shard of a name does not depend on the seed of the hashes of the process."""
    assert [shard_of(name) for name in ("", "a", "a.b", "virtualOutbound")] == [0, 3, 29, 60]


@given(ITEMS)
def test_it_reads_as_the_dict_does(items: dict[str, int]) -> None:
    """Items, size, membership and equality are those of the dict; the order is that of the names."""
    found = ShardedMap.of(items)
    assert list(found.items()) == sorted(items.items())
    assert len(found) == len(items)
    assert found == items
    assert found == ShardedMap.of(sorted(items.items()))
    assert all(name in found and found[name] == value for name, value in items.items())
    assert found.get("missing") is None
    assert cast("Any", 7) not in found
    with pytest.raises(KeyError):
        found["missing"]


@given(ITEMS, ITEMS)
def test_changed_copies(items: dict[str, int], more: dict[str, int]) -> None:
    """Adding and removing give what dicts give, leave the original alone, and copy no shard but those of the names."""
    old = ShardedMap.of(items)
    new = old.with_items(more)
    assert new == {**items, **more}
    gone = old.without(more)
    assert gone == {name: value for name, value in items.items() if name not in more}
    assert old == items
    concerned = {shard_of(name) for name in more}
    for number in set(range(SHARDS)) - concerned:
        assert new.shards[number] is old.shards[number]
        assert gone.shards[number] is old.shards[number]


@given(ITEMS, ITEMS)
def test_unshared_shards_hold_every_difference(items: dict[str, int], more: dict[str, int]) -> None:
    """Who compares two mappings need only look where their shards are not one object."""
    old = ShardedMap.of(items)
    new = old.with_items(more)
    pairs = list(new.unshared(old))
    assert len(pairs) == len({shard_of(name) for name in more})
    differing = {name for name in {**items, **more} if old.get(name) != new.get(name)}
    assert differing <= {name for mine, other in pairs for name in {**mine, **other}}
    assert not list(new.unshared(new))


def test_nothing_to_do_gives_the_very_mapping() -> None:
    """So that whoever compares by identity sees that nothing changed."""
    found = ShardedMap.of({"a": 1})
    assert found.with_items({}) is found
    assert found.without(["b"]) is found
    assert found.without([]) is found


def test_of_two_with_one_name_the_later_one_stays() -> None:
    """As in a dict."""
    assert ShardedMap.of([("a", 1), ("a", 2)]) == {"a": 2}


def test_equality() -> None:
    """Equal items are equal mappings, whatever the mapping is; anything else is not."""
    one = ShardedMap.of({"a": 1})
    assert one == one.with_items({"b": 1}).without(["b"])
    assert one != ShardedMap.of({"a": 2})
    assert one != {"a": 1, "b": 1}
    assert one != {"b": 1}
    assert one != 1


def test_empty_mappings_share_their_shards() -> None:
    """What holds nothing costs nothing, and is never written to."""
    empty: ShardedMap[int] = ShardedMap.of({})
    assert all(shard is EMPTY_SHARD for shard in empty.shards)
    assert all(shard is EMPTY_SHARD for shard in EMPTY_MAP.with_items({}).shards)
    assert not EMPTY_MAP
    ShardedMap.of({"a": 1})
    EMPTY_MAP.with_items({"a": 1})
    assert EMPTY_SHARD == {}


def test_repr_tells_the_size_alone() -> None:
    """A mapping of a thousand resources has no place in a log."""
    assert repr(ShardedMap.of({"a": 1, "b": 2})) == "ShardedMap(2 items)"
