"""What differs between what a client was told and what it should be told: pure comparisons, in the order of the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshctl_operator.xds.resources import ContentHash, ResourceName
from meshctl_operator.xds.state import Resources


@dataclass(frozen=True, slots=True)
class Difference:
    """The sorted names that are new or have another version, and those that are gone."""

    changed: tuple[ResourceName, ...]
    removed: tuple[ResourceName, ...]


class Claims:
    """What a client says on its first request that it holds: versions by name. Immutable; the same object for all that say the same."""

    __slots__ = ("__weakref__", "versions")

    def __init__(self, versions: Mapping[ResourceName, ContentHash]) -> None:
        self.versions = versions


Holding = Resources | Claims
"""What a client is known to hold, as far as it is subscribed to it: resources that were sent, or what it said itself."""


def version_in(holding: Holding, name: ResourceName) -> ContentHash | None:
    """Return the version of a name, or None if it is not held."""
    if isinstance(holding, Claims):
        return holding.versions.get(name)
    resource = holding.get(name)
    return resource.version if resource is not None else None


def versions_in(holding: Holding) -> Mapping[ResourceName, ContentHash]:
    """Return all versions by name."""
    if isinstance(holding, Claims):
        return holding.versions
    return {name: resource.version for shard in holding.shards for name, resource in shard.items()}


def compare(old: Holding, new: Resources) -> Difference:
    """Return what differs. Of two mappings of resources only the shards are looked at that they do not share."""
    if isinstance(old, Claims):
        return _compare_claims(old.versions, new)
    changed: list[ResourceName] = []
    removed: list[ResourceName] = []
    for now, before in new.unshared(old):
        for name, resource in now.items():
            known = before.get(name)
            if known is not resource and (known is None or known.version != resource.version):
                changed.append(name)
        removed += [name for name in before if name not in now]
    return Difference(tuple(sorted(changed)), tuple(sorted(removed)))


def _compare_claims(old: Mapping[ResourceName, ContentHash], new: Resources) -> Difference:
    changed = [name for shard in new.shards for name, resource in shard.items() if old.get(name) != resource.version]
    gone = old.keys() - {name for shard in new.shards for name in shard}
    return Difference(tuple(sorted(changed)), tuple(sorted(gone)))


def missing(names: frozenset[ResourceName], resources: Resources) -> tuple[ResourceName, ...]:
    """Return the sorted names that do not exist."""
    return tuple(sorted(name for name in names if name not in resources))
