"""The registry: applies change sets, hands out immutable snapshots."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from meshctl_operator.apis.changes import ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.apis.meta import ConfigObject, oldest_first
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.registry.cells import Cell, cells_of

_Bucket = tuple[ConfigObject[Any], ...]


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """The config objects of one revision. Later changes never show in it."""

    objects: Mapping[ObjectKey, ConfigObject[Any]]
    _cells: Mapping[Hashable, _Bucket]

    def fetch(self, cell: Hashable) -> _Bucket:
        """Return the objects filed under the cell, oldest first (creation time, name, namespace)."""
        return self._cells.get(cell, ())


@dataclass(frozen=True, slots=True)
class Applied:
    """The outcome of a change set: the new snapshot, the cells that may read differently, and the objects that did change."""

    snapshot: RegistrySnapshot
    touched: frozenset[Cell]
    changed: tuple[ObjectKey, ...]


class Registry:
    """The current objects. ``domain`` is the cluster domain (``cluster.local``)."""

    def __init__(self, *, domain: str = "cluster.local") -> None:
        """Start empty."""
        self._domain = domain
        self._objects: dict[ObjectKey, ConfigObject[Any]] = {}
        self._cells: dict[Hashable, dict[ObjectKey, ConfigObject[Any]]] = {}
        self._frozen: dict[Hashable, _Bucket] = {}

    @property
    def snapshot(self) -> RegistrySnapshot:
        """The state after the last change set."""
        return RegistrySnapshot(MappingProxyType(dict(self._objects)), MappingProxyType(self._frozen))

    def apply(self, changes: ChangeSet) -> Applied:
        """Apply the changes in order. A rejected object leaves what is held under its key; an object equal to it changes nothing.

        Metadata that nothing compiles from (resourceVersion, generation) does not count as a difference.
        """
        touched: set[Cell] = set()
        changed: dict[ObjectKey, None] = {}
        for change in changes.changes:
            match change:
                case Upsert():
                    if self._replace(change.object, touched):
                        changed[change.key] = None
                case Delete():
                    if self._remove(change.key, touched):
                        changed[change.key] = None
                case Rejected():
                    pass
        if touched:
            frozen = dict(self._frozen)
            for cell in touched:
                members = self._cells.get(cell)
                if members:
                    frozen[cell] = tuple(sorted(members.values(), key=oldest_first))
                else:
                    frozen.pop(cell, None)
            self._frozen = frozen
        return Applied(self.snapshot, frozenset(touched), tuple(changed))

    def _replace(self, obj: ConfigObject[Any], touched: set[Cell]) -> bool:
        old = self._objects.get(obj.key)
        if old is not None and _same(old, obj):
            return False
        self._remove(obj.key, touched)
        self._objects[obj.key] = obj
        for cell in cells_of(obj, self._domain):
            self._cells.setdefault(cell, {})[obj.key] = obj
            touched.add(cell)
        return True

    def _remove(self, key: ObjectKey, touched: set[Cell]) -> bool:
        old = self._objects.pop(key, None)
        if old is None:
            return False
        for cell in cells_of(old, self._domain):
            members = self._cells[cell]
            members.pop(key, None)
            if not members:
                del self._cells[cell]
            touched.add(cell)
        return True


def _same(old: ConfigObject[Any], new: ConfigObject[Any]) -> bool:
    return (
        old.spec == new.spec
        and old.status == new.status
        and old.api_version == new.api_version
        and old.meta.labels == new.meta.labels
        and old.meta.annotations == new.meta.annotations
        and old.meta.creation_timestamp == new.meta.creation_timestamp
    )
