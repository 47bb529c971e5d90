"""What a change would do to the mesh: the objects as the control plane has them, and a computation that tries the change on them.

The findings are those of the control plane itself, by the same code, so that a warning reads as the status will. It follows the control
plane by its snapshots, which are immutable: each is compared with the one before, so nothing can be missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from meshctl_operator.incremental.context import Context
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model.destination_rules import policy_diagnostics
from meshctl_operator.registry.cells import Cell, Table
from meshctl_operator.registry.registry import Registry

KINDS: Final = frozenset(
    {
        Kind.GATEWAY,
        Kind.VIRTUAL_SERVICE,
        Kind.DESTINATION_RULE,
        Kind.SERVICE_ENTRY,
        Kind.SERVICE,
        Kind.NAMESPACE,
        Kind.MESH_CONFIG,
    }
)
"""Kinds that the findings between objects are about. Workloads and endpoints are many, change all the time, and have no part in them."""

_SOURCE: Final = "admission"


@dataclass(frozen=True, slots=True)
class Consequences:
    """What would be found after a change: about the object itself, and newly about others."""

    own: tuple[Diagnostic, ...] = ()
    others: tuple[Diagnostic, ...] = ()


class RegistryFacts(Protocol):
    """Knows the mesh."""

    def consequences(self, change: Upsert | Delete) -> Consequences:
        """Return what would be found if the change were made. Nothing is changed."""
        ...


class NoFacts:
    """Knows nothing, so that objects are judged each by itself."""

    def consequences(self, change: Upsert | Delete) -> Consequences:  # noqa: ARG002  (the protocol's)
        """Return nothing."""
        return Consequences()


class MeshFacts:
    """The mesh as of the last snapshot. One thread at a time may use it: that of the webhook."""

    def __init__(self, *, domain: str = "cluster.local") -> None:
        self._registry = Registry(domain=domain)
        self._engine = Engine(self._registry.snapshot)
        self._objects: dict[ObjectKey, ConfigObject[Any]] = {}
        self._before: frozenset[Diagnostic] | None = None  # what is found without any change, while that is known

    def follow(self, objects: Mapping[ObjectKey, ConfigObject[Any]]) -> bool:
        """Take over the objects of a newer snapshot (``RegistrySnapshot.objects``); returns whether any of ours differ."""
        now = {key: obj for key, obj in objects.items() if key.kind in KINDS}
        changes: list[Upsert | Delete] = [Delete(key) for key in self._objects.keys() - now.keys()]
        changes += [Upsert(obj) for key, obj in now.items() if self._objects.get(key) is not obj]
        self._objects = now
        if changes:
            self._before = None
            self._apply(*changes)
        return bool(changes)

    def warm(self) -> Iterator[None]:
        """Compute what requests will ask for, a small piece at each step."""
        for key in self._engine.evaluate(_virtual_service_keys):
            if self._engine.warm(virtual_service_findings, key):
                yield
        self._found()

    def consequences(self, change: Upsert | Delete) -> Consequences:
        """Return what would be found if the change were made: it is made, looked at, and taken back."""
        before = self._found()
        old = self._objects.get(change.key)
        try:
            self._apply(change)
            after = self._engine.evaluate(_findings)
        finally:
            self._apply(Delete(change.key) if old is None else Upsert(old))
        own = tuple(finding for finding in after if finding.subject == change.key)
        return Consequences(own, tuple(finding for finding in after if finding.subject != change.key and finding not in before))

    def _found(self) -> frozenset[Diagnostic]:
        if self._before is None:
            self._before = frozenset(self._engine.evaluate(_findings))
        return self._before

    def _apply(self, *changes: Upsert | Delete) -> None:
        applied = self._registry.apply(ChangeSet(changes, _SOURCE))
        if applied.touched:
            self._engine.advance(applied.snapshot, applied.touched)


def _findings(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return the findings about VirtualServices and DestinationRules (tracked)."""
    found = list(ctx.derive(policy_diagnostics))
    for key in ctx.derive(_virtual_service_keys):
        found += ctx.derive(virtual_service_findings, key)
    return sorted_unique(found)


def _virtual_service_keys(ctx: Context) -> tuple[ObjectKey, ...]:
    keys: tuple[ObjectKey, ...] = ctx.fetch(Cell(Table.VIRTUAL_SERVICES, "*"))
    return keys
