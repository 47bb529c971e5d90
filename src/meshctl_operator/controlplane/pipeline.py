"""The synchronous middle: batches in, compiled proxies out. No tasks, no clock; ``plane`` decides when it runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Upsert
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane.ledger import Ledger
from meshctl_operator.controlplane.nodes import DeclaredProxy, resolve_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.states import StateBuilder
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.registry.registry import Applied, Registry
from meshctl_operator.xds.state import ViewState

SETTINGS_SOURCE: Final = "settings"
"""The source of the mesh-wide settings that hold unless another source has some."""

COLLECT_EVERY: Final = 64  # revisions between looks for derivations that nobody asks for any more

log = logging.getLogger("meshctl.controlplane")


@dataclass(frozen=True, slots=True)
class Step:
    """What a batch did: the revision after it, the objects that changed and those that were rejected."""

    revision: int
    changed: tuple[ObjectKey, ...]
    rejected: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What one proxy should hold."""

    proxy: Proxy
    compiled: CompiledProxy
    state: ViewState


class Pipeline:
    """Registry and engine, with the last state of everything."""

    def __init__(self, settings: Settings, sources: Sequence[str] = ()) -> None:
        self._settings = settings
        self._ledger = Ledger([*sources, SETTINGS_SOURCE])
        self._states = StateBuilder()
        self._start()
        self.apply([(SETTINGS_SOURCE, Upsert(mesh_object(settings.mesh_settings)))])

    def _start(self) -> None:
        self._registry = Registry(domain=self._settings.domain)
        self._engine = Engine(self._registry.snapshot, mode=self._settings.mode)

    @property
    def revision(self) -> int:
        """The number of states seen so far."""
        return self._engine.revision

    @property
    def objects(self) -> int:
        """How many objects are held, without the settings."""
        held = self._registry.snapshot.objects
        return len(held) - (MESH_KEY in held)

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what the sources found wrong, and what is wrong between objects."""
        try:
            between = self._engine.evaluate(mesh_findings)
        except Exception:
            log.exception("findings failed")
            between = ()
        return (*self._ledger.findings(), *between)

    def apply(self, changes: Sequence[tuple[str, Change]]) -> Step:
        """Apply the changes of a batch, each with the name of its source."""
        merged = self._ledger.apply(changes)
        changed: tuple[ObjectKey, ...] = ()
        if merged.changes:
            try:
                applied = self._registry.apply(ChangeSet(merged.changes, "ledger"))
            except Exception:
                log.exception("registry failed", extra={"objects": len(merged.changes)})
                changed = self._rebuild(merged.changes)
            else:
                changed = applied.changed
                self._advance(applied)
        return Step(self.revision, tuple(sorted(changed)), merged.rejected)

    def _advance(self, applied: Applied) -> None:
        if applied.touched:
            revision = self._engine.advance(applied.snapshot, applied.touched)
            if revision % COLLECT_EVERY == 0:
                self._engine.collect(unused_for=COLLECT_EVERY)

    def _rebuild(self, changes: Sequence[Upsert | Delete]) -> tuple[ObjectKey, ...]:
        """Start the registry anew, object by object, without the ones that it cannot hold: a bug must not lose the others."""
        revision = self.revision
        self._registry = Registry(domain=self._settings.domain)
        for upsert in self._ledger.all_effective():
            try:
                self._registry.apply(ChangeSet((upsert,), "ledger"))
            except Exception:
                log.exception("object left out", extra={"object": str(upsert.key)})
        self._engine = Engine(self._registry.snapshot, mode=self._settings.mode)
        while self.revision <= revision:  # revisions never go back
            self._engine.advance(self._registry.snapshot, ())
        return tuple(change.key for change in changes)

    def serve(self, declared: DeclaredProxy, before: Served | None) -> Served:
        """Return what a proxy should hold now; the very object given where nothing differs. Raises CompileBug when a compile step raises."""
        try:
            proxy = self._engine.evaluate(resolve_proxy, declared)
            compiled = self._engine.evaluate(compile_proxy, proxy)
        except Exception as error:
            raise CompileBug(f"compiling {declared.proxy.id} failed: {error!r}") from error
        if before is not None and before.compiled is compiled and before.proxy == proxy:
            return before
        state = self._states.state(self.revision, compiled, (before.compiled, before.state) if before is not None else None)
        return Served(proxy, compiled, state)


def mesh_object(settings: MeshSettings) -> ConfigObject[MeshSettings]:
    """Return the mesh-wide settings as the object that the registry holds."""
    meta = ObjectMeta(name=MESH_KEY.name)
    return ConfigObject[MeshSettings].model_construct(key=MESH_KEY, api_version="", meta=meta, spec=settings, status=None)
