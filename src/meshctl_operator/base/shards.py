"""Immutable mappings in shards: a changed copy shares what did not change, and two copies are compared by what differs.

A thousand resources of which one changes cost one shard of some sixteen entries, not a thousand. The shard of a name is decided by the
host in it, so that what changes together (``outbound|80||a.b``, ``outbound|80|v1|a.b``, ``80/a.b:80``) lies together. Any function of the
name would be correct; this one is the same in every process, whatever ``PYTHONHASHSEED`` says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

V_co = TypeVar("V_co", covariant=True)

SHARDS: Final = 64
"""How many shards every mapping has: near the root of the sizes that meshes have, where copying a shard and joining all cost the same."""

EMPTY_SHARD: Final[dict[str, Any]] = {}


@lru_cache(maxsize=1 << 16)
def shard_of(name: str) -> int:
    """Return the number of the shard of a name: that of its last part after ``|`` or ``/``, without a port, whatever its case."""
    host = name[max(name.rfind("|"), name.rfind("/")) + 1 :].partition(":")[0]
    return zlib.crc32(host.lower().encode()) % SHARDS


class ShardedMap(Mapping[str, V_co], Generic[V_co]):
    """An immutable mapping from names, in ``SHARDS`` dicts that are shared with other mappings and must never be changed.

    Iteration is in the order of the names. Mappings that share shards compare at the cost of what they do not share.
    """

    __slots__ = ("__weakref__", "_size", "shards")

    def __init__(self, shards: tuple[dict[str, V_co], ...]) -> None:
        """Take over ``SHARDS`` dicts; each name must be in the dict with the number ``shard_of(name)``."""
        self.shards = shards
        self._size = sum(map(len, shards))

    @classmethod
    def of(cls, items: Mapping[str, V_co] | Iterable[tuple[str, V_co]]) -> ShardedMap[V_co]:
        """Return the mapping with these items; of two with one name the later one stays."""
        shards: list[dict[str, V_co]] = [EMPTY_SHARD] * SHARDS
        for name, value in items.items() if isinstance(items, Mapping) else items:
            number = shard_of(name)
            if shards[number] is EMPTY_SHARD:
                shards[number] = {}
            shards[number][name] = value
        return cls(tuple(shards))

    def with_items(self, items: Mapping[str, V_co]) -> ShardedMap[V_co]:
        """Return a mapping with these items added or replaced; the very mapping where there are none."""
        if not items:
            return self
        return self._changed((name, value) for name, value in items.items())

    def without(self, names: Iterable[str]) -> ShardedMap[V_co]:
        """Return a mapping without these names; the very mapping where it has none of them."""
        gone = [name for name in names if name in self]
        if not gone:
            return self
        shards = list(self.shards)
        for name in gone:
            number = shard_of(name)
            shards[number] = {kept: value for kept, value in shards[number].items() if kept != name}
        return ShardedMap(tuple(shards))

    def _changed(self, items: Iterable[tuple[str, V_co]]) -> ShardedMap[V_co]:
        shards = list(self.shards)
        for name, value in items:
            number = shard_of(name)
            if shards[number] is self.shards[number]:
                shards[number] = dict(shards[number])
            shards[number][name] = value
        return ShardedMap(tuple(shards))

    def unshared(self, old: ShardedMap[V_co]) -> Iterator[tuple[dict[str, V_co], dict[str, V_co]]]:
        """Yield the pairs of shards (of this mapping, of the other) that are not one object: only there may the two differ."""
        for mine, other in zip(self.shards, old.shards, strict=True):
            if mine is not other:
                yield mine, other

    def __getitem__(self, name: str) -> V_co:
        return self.shards[shard_of(name)][name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.shards[shard_of(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(name for shard in self.shards for name in shard))

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ShardedMap):
            return self is other or self.shards == other.shards
        if isinstance(other, Mapping):
            return len(self) == len(other) and all(name in other and other[name] == value for name, value in self.items())
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a mapping of values that are compared, as dict

    def __repr__(self) -> str:
        return f"ShardedMap({self._size} items)"


EMPTY_MAP: Final[ShardedMap[Any]] = ShardedMap((EMPTY_SHARD,) * SHARDS)
"""The mapping without items."""
