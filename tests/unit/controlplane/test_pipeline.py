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

    def compile_profile(ctx: Context, profile: compiler.Profile) -> CompiledProxy:
        if ctx.fetch(Cell(Table.SERVICES, "*")):
            raise ZeroDivisionError
        return compiler.compile_profile(ctx, profile)

    monkeypatch.setattr(module, "compile_profile", compile_profile)
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


def test_derivations_that_nobody_asks_for_are_dropped_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """A control plane runs for months; a round ends with the findings."""
    monkeypatch.setattr(module, "COLLECT_EVERY", 5)
    pipeline = Pipeline(Settings(), ["test"])
    sizes: list[int] = []
    served = None
    for number in range(50):
        pipeline.apply(changes(service("reviews", port=1000 + number)))
        served = pipeline.serve(PROXY, served)
        pipeline.findings()
        sizes.append(pipeline._engine.size)
    assert pipeline.take_statistics().dropped > 0
    assert max(sizes[-15:]) <= max(sizes[:15])


def test_what_is_served_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that was asked for at each round keeps its very state, whatever is dropped."""
    monkeypatch.setattr(module, "COLLECT_EVERY", 3)
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews")))
    served = first = pipeline.serve(PROXY, None)
    for _ in range(10):
        pipeline.apply(changes({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}}))
        served = pipeline.serve(PROXY, served)
        pipeline.findings()
    assert served is first


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


def test_prepare_does_the_work_of_serve() -> None:
    """After the last piece there is nothing left to compute, and what is served is the same."""
    pipeline, unprepared = Pipeline(Settings(), ["test"]), Pipeline(Settings(), ["test"])
    for each in (pipeline, unprepared):
        each.apply(changes(service("reviews"), virtual_service("reviews", "reviews")))
    assert len(list(pipeline.prepare(PROXY))) > 1
    pipeline.take_statistics()
    served = pipeline.serve(PROXY, None)
    assert pipeline.take_statistics().total == 0
    assert served.compiled == unprepared.serve(PROXY, None).compiled
    assert not list(pipeline.prepare(PROXY))


def test_prepare_tells_bugs_as_serve_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a piece is an error of ours, with the name of the proxy."""

    def compile_steps(*_: object) -> Iterator[None]:
        raise ZeroDivisionError
        yield

    pipeline = Pipeline(Settings(), ["test"])
    monkeypatch.setattr(module, "compile_steps", compile_steps)
    with pytest.raises(CompileBug, match="client"):
        list(pipeline.prepare(PROXY))


def test_findings_may_be_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the last piece the findings cost next to nothing; an error is left for them to tell."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews"), virtual_service("reviews", "nobody")))
    assert list(pipeline.prepare_findings())
    pipeline.take_statistics()
    assert any(finding.subject.name == "reviews" for finding in pipeline.findings())
    assert "virtual_service_findings" not in pipeline.take_statistics().recomputed

    def finding_steps(*_: object) -> Iterator[None]:
        raise ZeroDivisionError
        yield

    monkeypatch.setattr(module, "finding_steps", finding_steps)
    assert not list(pipeline.prepare_findings())


def test_proxies_that_are_served_alike_share_their_state() -> None:
    """One state for all of a profile, so that streams and bytes are shared."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews")))
    twin = read_proxy(NodeInfo("sidecar~10.0.0.2~twin~default.svc.cluster.local"))
    stranger = read_proxy(NodeInfo("sidecar~10.0.0.3~stranger~other.svc.cluster.local"))
    one, two, three = (pipeline.serve(proxy, None) for proxy in (PROXY, twin, stranger))
    assert one.state is two.state
    assert one.compiled is two.compiled
    name = "outbound|9080||reviews.default.svc.cluster.local"
    assert three.state.of(TypeUrl.ENDPOINT)[name] == one.state.of(TypeUrl.ENDPOINT)[name]


def test_the_first_resource_of_a_type_is_served() -> None:
    """A resource of a type that the proxy had none of is served as any other."""
    pipeline = Pipeline(Settings(), ["test"])
    before = pipeline.serve(PROXY, None)
    assert not before.state.of(TypeUrl.ENDPOINT)
    pipeline.apply(changes(service("reviews")))
    after = pipeline.serve(PROXY, before)
    assert after.state.of(TypeUrl.ENDPOINT)


def test_the_graph_of_a_resource() -> None:
    """What a resource came from, when it was computed last, and the chain to the object that made it so."""
    pipeline = Pipeline(Settings(), ["test"])
    pipeline.apply(changes(service("reviews")))
    pipeline.serve(PROXY, None)
    name = "outbound|9080||reviews.default.svc.cluster.local"
    pipeline.apply(changes(service("reviews", clusterIP="10.96.9.9")))
    step = pipeline.apply(
        changes(
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "DestinationRule",
                "metadata": {"name": "reviews", "namespace": "default"},
                "spec": {"host": "reviews", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}},
            }
        )
    )
    pipeline.serve(PROXY, None)
    cluster = next(trace for trace in pipeline.graph(name) if trace.type_url == TypeUrl.CLUSTER)
    rule, of = ObjectKey("DestinationRule", "default", "reviews"), ObjectKey("Service", "default", "reviews")
    assert (cluster.name, cluster.provenance, cluster.recomputed_at) == (name, (rule, of), step.revision)
    assert cluster.version == pipeline.serve(PROXY, None).state.of(TypeUrl.CLUSTER)[name].version
    assert cluster.because[0].startswith("_service_clusters(")
    assert cluster.because[-1] == "destination-rules default/reviews.default.svc.cluster.local"
    assert {trace.type_url for trace in pipeline.graph(name)} == {TypeUrl.CLUSTER, TypeUrl.ENDPOINT}
    assert pipeline.graph("nothing") == ()


def test_held_objects() -> None:
    """What counts under a key, and nothing where nothing does."""
    pipeline = Pipeline(Settings(), ["test"])
    ((_, change),) = changes(service("reviews"))
    pipeline.apply([("test", change)])
    assert pipeline.held(change.key) == change
    assert pipeline.held(ObjectKey("Service", "default", "other")) is None
