"""Whatever happens in whatever order, an incremental engine says what a fresh one says about the final state."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from meshctl_operator.apis.changes import Change, Delete, Rejected
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.engine import Mode
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.kubernetes import gateway_service
from tests.support.strategies.meshes import any_document, is_accepted, key_of, with_part
from tests.support.strategies.scopes import mesh_configs
from tests.support.world import PROXIES, World, changes_of, settings_change

pytestmark = pytest.mark.property

MOSTLY = st.sampled_from((True, True, True, False))
ANY = st.integers(0, 999)
"""Stands for an object of the pool, modulo its size."""


class IncrementalIsCold(RuleBasedStateMachine):
    """Objects of a pool come, change and go; proxies usually ask after each change, sometimes after several only."""

    mode: ClassVar[Mode] = "incremental"

    def __init__(self) -> None:
        super().__init__()
        self.world = World(mode=self.mode)
        self.held: dict[ObjectKey, Change] = {}
        self.settings: Change = settings_change({})
        self.pool: list[JsonObject] = []

    def _change(self, *changes: Change, ask: bool) -> None:
        self.world.apply(*changes)
        if ask:
            self._compare()

    def _upsert(self, document: JsonObject) -> tuple[Change, ...]:
        (change,) = changes_of([document])
        self.held[key_of(document)] = change
        return (change,)

    def _delete(self, key: ObjectKey) -> tuple[Change, ...]:
        return (Delete(key),) if self.held.pop(key, None) else ()

    def _compare(self) -> None:
        """Every proxy holds what a fresh engine gives it: bytes, provenance and diagnostics."""
        fresh = World()
        fresh.apply(self.settings, *self.held.values())
        for proxy in PROXIES:
            assert self.world.compile(proxy) == fresh.compile(proxy)

    @initialize(pool=st.lists(any_document(), min_size=10, max_size=24), mesh=st.one_of(st.just({}), mesh_configs()))
    def start(self, pool: list[JsonObject], mesh: JsonObject) -> None:
        """There is a mesh to begin with: half of the pool."""
        self.pool = [gateway_service(), *pool]
        self.settings = settings_change(mesh)
        self._change(self.settings, *(change for document in self.pool[::2] for change in self._upsert(document)), ask=True)

    @rule(index=ANY, ask=MOSTLY)
    def toggle(self, index: int, *, ask: bool) -> None:
        """An object appears, or goes if it is there."""
        document = self._pick(index)
        self._change(*(self._delete(key_of(document)) or self._upsert(document)), ask=ask)

    @rule(index=ANY, ask=MOSTLY)
    def upsert(self, index: int, *, ask: bool) -> None:
        """An object appears or is replaced."""
        self._change(*self._upsert(self._pick(index)), ask=ask)

    @rule(index=ANY, other=ANY, part=ANY, ask=MOSTLY)
    def edit(self, index: int, other: int, part: int, *, ask: bool) -> None:
        """One part of an object becomes that of another object of its kind, the rest stays."""
        document = self._pick(index)
        others = [source for source in self.pool if source["kind"] == document["kind"]]
        changed = with_part(document, others[other % len(others)], part)
        if is_accepted(changed):
            self._change(*self._upsert(changed), ask=ask)

    @rule(index=ANY, other=ANY, ask=MOSTLY)
    def exchange(self, index: int, other: int, *, ask: bool) -> None:
        """One object goes and another comes in one change set."""
        self._change(*self._delete(key_of(self._pick(index))), *self._upsert(self._pick(other)), ask=ask)

    @rule(index=ANY)
    def reject(self, index: int) -> None:
        """A rejected object leaves what is held."""
        self._change(Rejected(key_of(self._pick(index)), ()), ask=True)

    @rule(mesh=mesh_configs(), ask=MOSTLY)
    def configure(self, mesh: JsonObject, *, ask: bool) -> None:
        """The settings of the mesh change."""
        self.settings = settings_change(mesh)
        self._change(self.settings, ask=ask)

    @rule()
    def collect(self) -> None:
        """The engine drops what nobody asked for."""
        self.world.engine.collect()

    def _pick(self, index: int) -> JsonObject:
        return self.pool[index % len(self.pool)]

    def teardown(self) -> None:
        """Whatever was asked before, the end is right."""
        self._compare()


class RecomputeIsCold(IncrementalIsCold):
    """The same for the mode that remembers nothing between revisions."""

    mode: ClassVar[Mode] = "recompute"


TestIncremental = IncrementalIsCold.TestCase
TestRecompute = RecomputeIsCold.TestCase
TestRecompute.settings = settings(max_examples=settings().max_examples // 5)
