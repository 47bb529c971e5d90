"""What a change would do to the mesh: the objects as the control plane has them, and a computation that tries the change on them.

The findings are those of the control plane itself, by the same code, so that a warning reads as the status will. It follows the control
plane by its snapshots, which are immutable: each is compared with the one before, so nothing can be missed.

What was admitted is expected to arrive: it counts for the next requests although no snapshot has it yet, or ``kubectl apply`` of a folder
would warn of what stands a few lines above. What has not arrived after a while was refused by somebody else, and is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.clock import Clock, SystemClock
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

EXPECTED_FOR: Final = 5.0
"""Seconds for which an admitted change counts although no snapshot shows it."""

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

    def expect(self, change: Upsert | Delete) -> None:
        """Let a change that was admitted count from now on."""
        ...


class NoFacts:
    """Knows nothing, so that objects are judged each by itself."""

    def consequences(self, change: Upsert | Delete) -> Consequences:  # noqa: ARG002  (the protocol's)
        """Return nothing."""
        return Consequences()

    def expect(self, change: Upsert | Delete) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Expected:
    """An admitted change, beside what snapshots had in its place when it was admitted, and until when it counts."""

    object: ConfigObject[Any] | None
    before: ConfigObject[Any] | None
    until: float


class MeshFacts:
    """The mesh as of the last snapshot. One thread at a time may use it: that of the webhook."""

    def __init__(self, *, domain: str = "cluster.local", clock: Clock | None = None) -> None:
        self._registry = Registry(domain=domain)
        self._engine = Engine(self._registry.snapshot)
        self._clock = clock or SystemClock()
        self._newest: Mapping[ObjectKey, ConfigObject[Any]] = {}
        self._expected: dict[ObjectKey, _Expected] = {}
        self._objects: dict[ObjectKey, ConfigObject[Any]] = {}
        self._before: frozenset[Diagnostic] | None = None  # what is found without any change, while that is known

    def follow(self, objects: Mapping[ObjectKey, ConfigObject[Any]]) -> bool:
        """Take over the objects of a newer snapshot (``RegistrySnapshot.objects``); returns whether any of ours differ."""
        self._newest = objects
        now = {key: obj for key, obj in objects.items() if key.kind in KINDS}
        self._forget()
        for key, expected in self._expected.items():
            if expected.object is None:
                now.pop(key, None)
            else:
                now[key] = expected.object
        changes: list[Upsert | Delete] = [Delete(key) for key in self._objects.keys() - now.keys()]
        changes += [Upsert(obj) for key, obj in now.items() if self._objects.get(key) is not obj]
        self._objects = now
        if changes:
            self._before = None
            self._apply(*changes)
        return bool(changes)

    def refresh(self) -> bool:
        """Take back what was expected in vain; returns whether there was any such thing."""
        return self._forget() and self.follow(self._newest)

    def _forget(self) -> bool:
        """Stop expecting what has arrived, and what has not for too long."""
        now = self._clock.monotonic()
        done = [key for key, one in self._expected.items() if one.until <= now or self._newest.get(key) is not one.before]
        for key in done:
            del self._expected[key]
        return bool(done)

    def expect(self, change: Upsert | Delete) -> None:
        """Let a change that was admitted count until a snapshot shows it."""
        if change.key.kind not in KINDS:
            return
        obj = change.object if isinstance(change, Upsert) else None
        self._expected[change.key] = _Expected(obj, self._newest.get(change.key), self._clock.monotonic() + EXPECTED_FOR)
        if obj is None:
            self._objects.pop(change.key, None)
        else:
            self._objects[change.key] = obj
        self._before = None
        self._apply(change)

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
