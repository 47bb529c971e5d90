"""Whatever happens in whatever order, an incremental engine says what a fresh one says about the final state, and keeps no more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from meshctl_operator.apis.changes import Change, Delete, Rejected
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.engine import Mode
from meshctl_operator.model.proxies import Proxy
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.kubernetes import gateway_service
from tests.support.strategies.meshes import any_document, crowding_document, is_accepted, key_of, with_part
from tests.support.strategies.scopes import mesh_configs, visibilities
from tests.support.world import FLEET, World, changes_of, contents, settings_change

pytestmark = pytest.mark.property

ASKING = st.lists(st.sampled_from(FLEET), unique=True, max_size=2)
"""Who asks after a change; nobody, at times."""
ANY = st.integers(0, 999)
"""Stands for an object of the pool, modulo its size."""


class IncrementalIsCold(RuleBasedStateMachine):
    """Objects of a pool come, change and go; some of the proxies ask after each change, or only after several."""

    mode: ClassVar[Mode] = "incremental"

    def __init__(self) -> None:
        super().__init__()
        self.world = World(mode=self.mode)
        self.held: dict[ObjectKey, Change] = {}
        self.settings: Change = settings_change({})
        self.pool: list[JsonObject] = []

    def _change(self, *changes: Change, ask: Iterable[Proxy]) -> None:
        self.world.apply(*changes)
        self._compare(ask)

    def _upsert(self, document: JsonObject) -> tuple[Change, ...]:
        (change,) = changes_of([document])
        self.held[key_of(document)] = change
        return (change,)

    def _delete(self, key: ObjectKey) -> tuple[Change, ...]:
        return (Delete(key),) if self.held.pop(key, None) else ()

    def _fresh(self) -> World:
        fresh = World()
        fresh.apply(self.settings, *self.held.values())
        return fresh

    def _compare(self, proxies: Iterable[Proxy]) -> None:
        """Each proxy holds what a fresh engine gives it: bytes, versions, provenance and diagnostics."""
        proxies = tuple(proxies)
        fresh = self._fresh() if proxies else self.world
        for proxy in proxies:
            known = self.world.resolved(proxy)
            assert known == fresh.resolved(proxy)
            now, cold = self.world.compile(known), fresh.compile(known)
            assert contents(now) == contents(cold), f"{proxy.name} of {proxy.namespace}"
            assert now == cold

    @initialize(
        pool=st.one_of(
            st.lists(any_document(), min_size=10, max_size=24),
            st.lists(crowding_document(), min_size=10, max_size=24),
        ),
        mesh=st.one_of(st.just({}), mesh_configs()),
    )
    def start(self, pool: list[JsonObject], mesh: JsonObject) -> None:
        """There is a mesh to begin with: half of the pool."""
        self.pool = [gateway_service(), *pool]
        self.settings = settings_change(mesh)
        self._change(self.settings, *(change for document in self.pool[::2] for change in self._upsert(document)), ask=FLEET)

    @rule(index=ANY, ask=ASKING)
    def toggle(self, index: int, ask: list[Proxy]) -> None:
        """An object appears, or goes if it is there."""
        document = self._pick(index)
        self._change(*(self._delete(key_of(document)) or self._upsert(document)), ask=ask)

    @rule(index=ANY, ask=ASKING)
    def upsert(self, index: int, ask: list[Proxy]) -> None:
        """An object appears or is replaced."""
        self._change(*self._upsert(self._pick(index)), ask=ask)

    @rule(index=ANY, other=ANY, part=ANY, ask=ASKING)
    def edit(self, index: int, other: int, part: int, ask: list[Proxy]) -> None:
        """One part of an object becomes that of another object of its kind, the rest stays."""
        document = self._pick(index)
        others = [source for source in self.pool if source["kind"] == document["kind"]]
        changed = with_part(document, others[other % len(others)], part)
        if is_accepted(changed):
            self._change(*self._upsert(changed), ask=ask)

    @rule(index=ANY, other=ANY, ask=ASKING)
    def exchange(self, index: int, other: int, ask: list[Proxy]) -> None:
        """One object goes and another comes in one change set."""
        self._change(*self._delete(key_of(self._pick(index))), *self._upsert(self._pick(other)), ask=ask)

    @rule(index=ANY, ask=ASKING)
    def reject(self, index: int, ask: list[Proxy]) -> None:
        """A rejected object leaves what is held."""
        self._change(Rejected(key_of(self._pick(index)), ()), ask=ask)

    @rule(mesh=st.one_of(mesh_configs(), visibilities(), st.just({})), ask=ASKING)
    def configure(self, mesh: JsonObject, ask: list[Proxy]) -> None:
        """The settings of the mesh change."""
        self.settings = settings_change(mesh)
        self._change(self.settings, ask=ask)

    @rule(proxy=st.sampled_from(FLEET), most=st.sampled_from((1, 5, 40, 9999)))
    def prepare(self, proxy: Proxy, most: int) -> None:
        """Some of the work is done ahead."""
        self.world.prepare(self.world.resolved(proxy), most)

    @rule()
    def find(self) -> None:
        """The findings are those that a fresh engine has."""
        assert self.world.findings() == self._fresh().findings()

    @rule(unused_for=st.integers(0, 2))
    def collect(self, unused_for: int) -> None:
        """The engine drops what nobody asked for lately."""
        self.world.engine.collect(unused_for=unused_for)

    def _pick(self, index: int) -> JsonObject:
        return self.pool[index % len(self.pool)]

    def teardown(self) -> None:
        """Whatever was asked before, the end is right, and nothing of the past is remembered."""
        self._compare(FLEET)
        self.find()
        fresh = self._fresh()
        self.world.apply()  # what lost its last reader at the revision in progress is spared
        for world in (self.world, fresh):
            world.findings()
            for proxy in FLEET:
                world.compile(world.resolved(proxy))
            world.engine.collect()
        assert self.world.engine._nodes.keys() == fresh.engine._nodes.keys()
        assert self.world.engine._cells.keys() == fresh.engine._cells.keys()


class RecomputeIsCold(IncrementalIsCold):
    """The same for the mode that remembers nothing between revisions."""

    mode: ClassVar[Mode] = "recompute"


TestIncremental = IncrementalIsCold.TestCase
TestRecompute = RecomputeIsCold.TestCase
TestRecompute.settings = settings(max_examples=settings().max_examples // 5)
