"""Batches in, compiled proxies out; a bug of ours never costs what is in service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.mesh_config import MESH_KEY, MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import compiler
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane import pipeline as module
from meshctl_operator.controlplane.nodes import read_proxy
from meshctl_operator.controlplane.pipeline import Pipeline
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.registry import cells
from meshctl_operator.registry.cells import Cell, Table
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from tests.support.meshes import RawObject, service, virtual_service

PROXY = read_proxy(NodeInfo("sidecar~10.0.0.1~client~default.svc.cluster.local"))


def changes(*raw: RawObject) -> list[tuple[str, Change]]:
    """Return the changes that put objects."""
    found: list[tuple[str, Change]] = []
    for document in raw:
        decoded = decode(document)
        assert not isinstance(decoded, Skipped)
        found.append(("test", decoded))
    return found


def test_objects_become_resources() -> None:
    """A service gives each sidecar a cluster."""
    pipeline = Pipeline(Settings(), ["test"])
    step = pipeline.apply(changes(service("reviews")))
    assert step.changed == (ObjectKey("Service", "default", "reviews"),)
    assert pipeline.objects == 1
    served = pipeline.serve(PROXY, None)
    assert "outbound|9080||reviews.default.svc.cluster.local" in served.state.of(TypeUrl.CLUSTER)
    assert served.state.revision == step.revision


def test_what_changes_nothing_for_a_proxy_leaves_its_state_alone() -> None:
    """The very same object, so that no stream wakes up."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews")))
    before = pipeline.serve(PROXY, None)
    step = pipeline.apply(changes(service("reviews")))
    assert (step.changed, step.revision) == ((), pipeline.revision)
    assert pipeline.serve(PROXY, before) is before
    pipeline.apply(changes({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {"a": "b"}}))
    assert pipeline.serve(PROXY, before).state is before.state


def test_a_rejected_object_keeps_its_last_good_state() -> None:
    """It is reported, and the others of the batch move on."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews"), virtual_service("reviews", "reviews")))
    before = pipeline.serve(PROXY, None)
    broken = virtual_service("reviews", "reviews")
    broken["spec"]["http"][0]["route"][0]["weight"] = -1
    step = pipeline.apply(changes(broken, service("ratings")))
    assert step.rejected == (ObjectKey("VirtualService", "default", "reviews"),)
    assert step.changed == (ObjectKey("Service", "default", "ratings"),)
    assert any(finding.path == "spec.http[0].route[0].weight" for finding in pipeline.findings())
    after = pipeline.serve(PROXY, before)
    assert "outbound|9080||ratings.default.svc.cluster.local" in after.state.of(TypeUrl.CLUSTER)


def test_a_compile_step_that_raises_is_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller keeps what the proxy had, and the next revision may compile again."""
    pipeline = Pipeline(Settings(), ["test"])

    def compile_proxy(ctx: Context, proxy: Proxy) -> CompiledProxy:
        if ctx.fetch(Cell(Table.SERVICES, "*")):
            raise ZeroDivisionError
        return compiler.compile_proxy(ctx, proxy)

    monkeypatch.setattr("meshctl_operator.controlplane.pipeline.compile_proxy", compile_proxy)
    before = pipeline.serve(PROXY, None)
    pipeline.apply(changes(service("reviews")))
    with pytest.raises(CompileBug, match="client"):
        pipeline.serve(PROXY, before)
    pipeline.apply([("test", Delete(ObjectKey("Service", "default", "reviews")))])
    assert pipeline.serve(PROXY, before).state is before.state


def test_an_object_that_the_registry_cannot_hold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry starts anew with all others; revisions never go back."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews")))
    revision = pipeline.revision

    def cells_of(obj: ConfigObject[Any], domain: str) -> Iterator[Cell]:
        if obj.key.name == "cursed":
            raise ZeroDivisionError
        return cells.cells_of(obj, domain)

    monkeypatch.setattr("meshctl_operator.registry.registry.cells_of", cells_of)
    pipeline.apply(changes(service("cursed"), service("ratings")))
    assert pipeline.revision > revision
    clusters = pipeline.serve(PROXY, None).state.of(TypeUrl.CLUSTER)
    assert {"outbound|9080||reviews.default.svc.cluster.local", "outbound|9080||ratings.default.svc.cluster.local"} <= clusters.keys()


def test_derivations_that_nobody_asks_for_are_dropped_now_and_then() -> None:
    """A control plane runs for months."""
    pipeline = Pipeline(Settings(), ["test"])
    for number in range(2 * module.COLLECT_EVERY):
        pipeline.apply(changes(service("reviews", port=1000 + number)))
        pipeline.serve(PROXY, None)
    assert pipeline._engine.take_statistics().dropped > 0


def test_a_rejection_alone_moves_no_revision() -> None:
    """There is nothing to compile."""
    pipeline = Pipeline(Settings(), ["test"])
    revision = pipeline.revision
    pipeline.apply([("test", Rejected(ObjectKey("File", "", "x"), ()))])
    assert pipeline.revision == revision


def test_mesh_settings_of_a_source_win() -> None:
    """The settings given at the start hold where no source has any."""
    pipeline = Pipeline(Settings(), ["test"])
    other = module.mesh_object(MeshSettings(MeshConfig(root_namespace="elsewhere")))
    assert pipeline.apply([("test", Upsert(other))]).changed == (MESH_KEY,)
    assert pipeline.apply([("test", Delete(MESH_KEY))]).changed == (MESH_KEY,)
    assert pipeline.objects == 0
