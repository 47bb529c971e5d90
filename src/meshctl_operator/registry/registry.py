"""The registry: applies change sets, hands out immutable snapshots."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from meshctl_operator.apis.changes import ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.apis.meta import ConfigObject, oldest_first
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.registry.cells import KEY_TABLES, Cell, cells_of

_Bucket = tuple[Any, ...]
_PARTS: Final = 64  # a snapshot shares the parts of its buckets that no change touched


@dataclass(frozen=True, slots=True)
class RegistrySnapshot:
    """The config objects of one revision. Later changes never show in it."""

    objects: Mapping[ObjectKey, ConfigObject[Any]]
    _parts: tuple[Mapping[Hashable, _Bucket], ...]

    def fetch(self, cell: Hashable) -> _Bucket:
        """Return what is filed under the cell, oldest first (creation time, name, namespace): objects, or keys in the ``KEY_TABLES``."""
        return self._parts[hash(cell) % _PARTS].get(cell, ())


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
        self._cells: dict[Cell, dict[ObjectKey, ConfigObject[Any]]] = {}
        self._ages: dict[ObjectKey, tuple[float, str, str]] = {}  # by which buckets are sorted, computed once an object
        self._snapshot = RegistrySnapshot(MappingProxyType({}), ({},) * _PARTS)

    @property
    def snapshot(self) -> RegistrySnapshot:
        """The state after the last change set."""
        return self._snapshot

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
        if changed:
            self._snapshot = RegistrySnapshot(MappingProxyType(dict(self._objects)), self._frozen(touched))
        return Applied(self._snapshot, frozenset(touched), tuple(changed))

    def _frozen(self, touched: set[Cell]) -> tuple[Mapping[Hashable, _Bucket], ...]:
        """Return the parts of the next snapshot: new dicts where a cell was touched, the present ones elsewhere."""
        parts = list(self._snapshot._parts)  # noqa: SLF001  (the registry makes the snapshots)
        copied: dict[int, dict[Hashable, _Bucket]] = {}
        for cell in touched:
            number = hash(cell) % _PARTS
            part = copied.get(number)
            if part is None:
                parts[number] = part = copied[number] = dict(parts[number])
            members = self._cells.get(cell)
            if members:
                ordered = sorted(members, key=self._ages.__getitem__)
                part[cell] = tuple(ordered) if cell.table in KEY_TABLES else tuple(members[key] for key in ordered)
            else:
                part.pop(cell, None)
        return tuple(parts)

    def _replace(self, obj: ConfigObject[Any], touched: set[Cell]) -> bool:
        old = self._objects.get(obj.key)
        if old is not None and _same(old, obj):
            return False
        before = frozenset(cells_of(old, self._domain)) if old is not None else frozenset()
        after = frozenset(cells_of(obj, self._domain))
        age = oldest_first(obj)
        in_place = self._ages.get(obj.key) == age
        self._objects[obj.key] = obj
        self._ages[obj.key] = age
        for cell in before - after:
            self._take_out(obj.key, cell)
            touched.add(cell)
        for cell in after:
            self._cells.setdefault(cell, {})[obj.key] = obj
            if not (in_place and cell in before and cell.table in KEY_TABLES):
                touched.add(cell)
        return True

    def _remove(self, key: ObjectKey, touched: set[Cell]) -> bool:
        old = self._objects.pop(key, None)
        if old is None:
            return False
        del self._ages[key]
        for cell in cells_of(old, self._domain):
            self._take_out(key, cell)
            touched.add(cell)
        return True

    def _take_out(self, key: ObjectKey, cell: Cell) -> None:
        members = self._cells.get(cell)
        if members is None:
            return
        members.pop(key, None)
        if not members:
            del self._cells[cell]


def _same(old: ConfigObject[Any], new: ConfigObject[Any]) -> bool:
    return (
        old.spec == new.spec
        and old.status == new.status
        and old.api_version == new.api_version
        and old.meta.labels == new.meta.labels
        and old.meta.annotations == new.meta.annotations
        and old.meta.creation_timestamp == new.meta.creation_timestamp
    )
