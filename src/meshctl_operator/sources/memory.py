"""Config objects from memory: for tests, for embedding, and for what a program adds to the files of a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.source import Sink


class MemorySource:
    """Objects that a program applies and deletes.

    Changes made before the control plane runs are part of the initial state; later ones are submitted at once, each call as one set.
    """

    def __init__(
        self, *objects: Mapping[str, object] | ConfigObject[Any], name: str = "memory", default_namespace: str = "default"
    ) -> None:
        self._name = name
        self._default_namespace = default_namespace
        self._held: dict[ObjectKey, Change] = {}
        self._sink: Sink | None = None
        self.apply(*objects)

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    async def run(self, sink: Sink) -> None:
        """Submit what is held; from then on changes go to the sink directly."""
        sink.submit(ChangeSet(tuple(self._held.values()), self._name, synced=True))
        self._sink = sink

    def apply(self, *objects: Mapping[str, object] | ConfigObject[Any]) -> None:
        """Add or replace objects, given as raw documents or decoded. A document that is rejected is submitted as such."""
        self._submit([change for obj in objects for change in self._changes(obj)])

    def delete(self, *keys: ObjectKey) -> None:
        """Remove objects by key; unknown keys are ignored."""
        self._submit([Delete(key) for key in keys])

    def _changes(self, obj: Mapping[str, object] | ConfigObject[Any]) -> Iterable[Change]:
        if isinstance(obj, ConfigObject):
            return [Upsert(obj)]
        decoded = decode(obj, default_namespace=self._default_namespace)
        match decoded:
            case Skipped():
                return [Rejected(decoded.key, decoded.diagnostics)] if decoded.diagnostics else []
            case _:
                return [decoded]

    def _submit(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, Delete):
                self._held.pop(change.key, None)
            elif not (isinstance(change, Rejected) and isinstance(self._held.get(change.key), Upsert)):  # the last good state stays
                self._held[change.key] = change
        if self._sink is not None and changes:
            self._sink.submit(ChangeSet(tuple(changes), self._name, synced=True))
