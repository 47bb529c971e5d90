"""Whatever happens in whatever order, an incremental engine says what a fresh one says about the final state."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from meshctl_operator.apis.changes import Delete, Rejected
from meshctl_operator.incremental.engine import Mode
from meshctl_operator.model.proxies import Proxy
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.kubernetes import gateway_service
from tests.support.strategies.meshes import MeshState, any_document, edited, key_of
from tests.support.strategies.scopes import mesh_configs
from tests.support.world import PROXIES, World, changes_of, compiled, settings_change

pytestmark = pytest.mark.property

A_FEW = st.lists(any_document(), min_size=1, max_size=4)


class IncrementalIsCold(RuleBasedStateMachine):
    """Apply, replace and delete objects of every kind; now and then a proxy asks, a node is dropped, a change is rejected."""

    mode: ClassVar[Mode] = "incremental"

    def __init__(self) -> None:
        super().__init__()
        self.world = World(mode=self.mode)
        self.held: dict[object, JsonObject] = {}
        self.mesh: JsonObject = {}
        self._upsert([gateway_service()])

    def _upsert(self, documents: list[JsonObject]) -> None:
        self.world.apply(*changes_of(documents))
        self.held |= {key_of(document): document for document in documents}

    @rule(documents=A_FEW)
    def upsert(self, documents: list[JsonObject]) -> None:
        """Objects appear, or change."""
        self._upsert(documents)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """One to three objects go, in one change set."""
        keys = data.draw(st.lists(st.sampled_from([key_of(document) for document in self.held.values()]), min_size=1, max_size=3))
        self.world.apply(*map(Delete, keys))
        for key in keys:
            self.held.pop(key, None)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), documents=A_FEW)
    def replace_at_once(self, data: st.DataObject, documents: list[JsonObject]) -> None:
        """Something goes and something comes in one change set."""
        key = data.draw(st.sampled_from([key_of(document) for document in self.held.values()]))
        self.world.apply(Delete(key), *changes_of(documents))
        self.held.pop(key)
        self.held |= {key_of(document): document for document in documents}

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def edit(self, data: st.DataObject) -> None:
        """One part of an object changes, the rest stays."""
        old = data.draw(st.sampled_from(list(self.held.values())))
        self._upsert([data.draw(edited(old))])

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def reject(self, data: st.DataObject) -> None:
        """A rejected object leaves what is held."""
        self.world.apply(Rejected(key_of(data.draw(st.sampled_from(list(self.held.values())))), ()))

    @rule(mesh=mesh_configs())
    def configure(self, mesh: JsonObject) -> None:
        """The settings of the mesh change."""
        self.world.apply(settings_change(mesh))
        self.mesh = mesh

    @rule()
    def collect(self) -> None:
        """The engine drops what nobody asked for."""
        self.world.engine.collect()

    @rule(proxy=st.sampled_from(PROXIES))
    def compare(self, proxy: Proxy) -> None:
        """A proxy holds what a fresh engine gives it: bytes, provenance and diagnostics."""
        assert self.world.compile(proxy) == compiled(MeshState(tuple(self.held.values()), self.mesh), proxy)

    def teardown(self) -> None:
        """Compare for every proxy at the end."""
        for proxy in PROXIES:
            self.compare(proxy)


class RecomputeIsCold(IncrementalIsCold):
    """The same for the mode that remembers nothing between revisions."""

    mode: ClassVar[Mode] = "recompute"


TestIncremental = IncrementalIsCold.TestCase
TestRecompute = RecomputeIsCold.TestCase
