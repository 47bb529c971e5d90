"""The synchronous middle: batches in, compiled proxies out. No tasks, no clock; ``plane`` decides when it runs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.compiler import compile_profile, profile
from meshctl_operator.compiler.findings import mesh_findings
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.compiler.steps import compile_steps, finding_steps
from meshctl_operator.compiler.traces import compiled_resources
from meshctl_operator.controlplane.ledger import Ledger
from meshctl_operator.controlplane.nodes import DeclaredProxy, resolve_proxy
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.states import StateTable
from meshctl_operator.incremental.engine import Cause, Engine, Statistics
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.model.services import Service
from meshctl_operator.registry.cells import Cell
from meshctl_operator.registry.registry import Applied, Registry
from meshctl_operator.xds.state import ViewState

SETTINGS_SOURCE: Final = "settings"
"""The source of the mesh-wide settings that hold unless another source has some."""

COLLECT_EVERY: Final = 64  # rounds between looks for derivations that nobody asks for any more

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


@dataclass(frozen=True, slots=True)
class ResourceTrace:
    """One resource, with the objects it was computed from, the revision at which it was, and why: itself first, the touched cell last."""

    type_url: str
    name: str
    version: str
    provenance: tuple[ObjectKey, ...]
    recomputed_at: int
    because: tuple[str, ...]


class Pipeline:
    """Registry and engine, with the last state of everything."""

    def __init__(self, settings: Settings, sources: Sequence[str] = ()) -> None:
        self._settings = settings
        self._ledger = Ledger([*sources, SETTINGS_SOURCE])
        self._states = StateTable(split=settings.split_routes)
        self._rounds: list[int] = []
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

    @property
    def held_objects(self) -> Mapping[ObjectKey, ConfigObject[Any]]:
        """The objects of the newest state, with the settings; a later state is another mapping."""
        return self._registry.snapshot.objects

    def kinds(self) -> Counter[str]:
        """Return how many objects of each kind are held, without the settings."""
        return Counter(key.kind for key in self._registry.snapshot.objects if key != MESH_KEY)

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what the sources found wrong, and what is wrong between objects. Called when every proxy has been served."""
        self._collect()
        try:
            between = self._engine.evaluate(mesh_findings)
        except Exception:
            log.exception("findings failed")
            between = ()
        return (*self._ledger.findings(), *between)

    def held(self, key: ObjectKey) -> Upsert | None:
        """Return the object that counts under a key."""
        return self._ledger.effective(key)

    def is_ready(self, proxy: str) -> bool | None:
        """Tell whether the Pod of a proxy, given as ``name.namespace``, is ready; None if there is none."""
        name, _, namespace = proxy.rpartition(".")
        pod = self._registry.snapshot.objects.get(ObjectKey(Kind.POD, namespace, name))
        return pod.spec.is_ready if pod is not None else None

    def take_statistics(self) -> Statistics:
        """Return what was computed since the last call."""
        return self._engine.take_statistics()

    def prepare(self, declared: DeclaredProxy) -> Iterator[None]:
        """Do a small piece of the compile work for a proxy at each step, so that ``serve`` is quick afterwards. Raises CompileBug."""
        try:
            yield from compile_steps(self._engine, self._engine.evaluate(resolve_proxy, declared))
        except Exception as error:
            raise CompileBug(f"compiling {declared.proxy.id} failed: {error!r}") from error

    def prepare_findings(self) -> Iterator[None]:
        """Do a small piece of the work for ``findings`` at each step; an error is left for that to tell."""
        with suppress(Exception):
            yield from finding_steps(self._engine)

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
            self._engine.advance(applied.snapshot, applied.touched)

    def _collect(self) -> None:
        """Now and then drop what nobody has asked for since all proxies were served several times."""
        self._rounds.append(self.revision)
        if len(self._rounds) >= COLLECT_EVERY:
            oldest = self._rounds[0]
            self._engine.collect(unused_for=self.revision - oldest)
            self._states.forget(oldest)
            self._rounds.clear()

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
        engine = self._engine
        try:
            proxy = engine.evaluate(resolve_proxy, declared)
            known = engine.evaluate(profile, proxy)
            compiled = engine.evaluate(compile_profile, known)
        except Exception as error:
            raise CompileBug(f"compiling {declared.proxy.id} failed: {error!r}") from error
        state = self._states.state(self.revision, known, compiled)
        if before is None:
            return Served(proxy, compiled, state)
        if before.compiled is compiled and before.proxy == proxy:
            return before
        if before.state is not state and state.revision <= before.state.revision:
            # The proxy has another profile now, whose state is older than what it has: it counts from now on all the same.
            state = before.state if before.state.resources == state.resources else replace(state, revision=self.revision)
        return Served(proxy, compiled, state)

    def graph(self, name: str) -> tuple[ResourceTrace, ...]:
        """Return every resource of that name that is held for some proxy, with what it came from and why it was computed last."""
        found: dict[tuple[str, str], ResourceTrace] = {}
        for (fn, params), resource in compiled_resources(self._engine, name):
            causes = self._engine.causes(fn, *params)
            because = tuple(_told(cause) for cause in causes)
            trace = ResourceTrace(resource.type_url, name, resource.version, resource.provenance, causes[0].computed_at, because)
            found.setdefault((resource.type_url, resource.version), trace)
        return tuple(found[key] for key in sorted(found))


def _told(cause: Cause) -> str:
    parts = ", ".join(map(_shown, cause.params))
    return f"{cause.function}({parts})" if cause.function else parts


def _shown(param: object) -> str:
    match param:
        case Cell(table, bucket):
            return f"{table.value} {bucket if isinstance(bucket, ObjectKey | str) else '/'.join(map(str, bucket))}"  # type: ignore[call-overload]
        case ObjectKey() | str() | int():
            return str(param)
        case Service():
            return param.host
        case _:
            return type(param).__name__


def mesh_object(settings: MeshSettings) -> ConfigObject[MeshSettings]:
    """Return the mesh-wide settings as the object that the registry holds."""
    meta = ObjectMeta(name=MESH_KEY.name)
    return ConfigObject[MeshSettings].model_construct(key=MESH_KEY, api_version="", meta=meta, spec=settings, status=None)
