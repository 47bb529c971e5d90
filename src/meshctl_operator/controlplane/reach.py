"""Which proxies hold something that an object contributed to: asked for many objects at once, from what resources say they come from.

Compiled results share most of their shards, with each other and with those before them. So each shard is looked through once, as long as
anybody holds it, and a change costs the shards that it made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource
from meshctl_operator.controlplane.barriers import routing_sources

FORGET_AFTER: Final = 64
"""Questions until a shard that none of them came across is forgotten."""

Shard = dict[str, CompiledResource]
Keys = frozenset[ObjectKey]

_NONE: Final[Keys] = frozenset()


class Reach:
    """The routing objects behind compiled results."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Shard, Keys]] = {}  # by identity; the shard itself keeps that taken
        self._older: dict[int, tuple[Shard, Keys]] = {}
        self._asked = 0

    def of(self, results: Mapping[int, CompiledProxy], wanted: Keys) -> dict[ObjectKey, list[int]]:
        """Return, for each of the wanted objects, the results that something of it is in, by the keys that they are given with."""
        self._asked += 1
        if self._asked % FORGET_AFTER == 0:
            self._known, self._older = {}, self._known
        found: dict[ObjectKey, list[int]] = {}
        hits: dict[int, Keys] = {}
        for number, result in results.items():
            keys: set[ObjectKey] = set()
            for resources in result.split.values():
                hit = hits.get(id(resources))
                if hit is None:
                    hit = hits[id(resources)] = _NONE.union(*(self._hit(shard, wanted, hits) for shard in resources.shards if shard))
                keys |= hit
            for key in keys:
                found.setdefault(key, []).append(number)
        return found

    def _hit(self, shard: Shard, wanted: Keys, hits: dict[int, Keys]) -> Keys:
        hit = hits.get(id(shard))
        if hit is None:
            hit = hits[id(shard)] = self._sources(shard) & wanted
        return hit

    def _sources(self, shard: Shard) -> Keys:
        known = self._known.get(id(shard)) or self._older.get(id(shard))
        if known is None:
            known = (shard, frozenset(key for resource in shard.values() for key in routing_sources(resource)))
        self._known[id(shard)] = known
        return known[1]
