"""The control plane as a whole, with memory as its source and real gRPC."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

import pytest

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import CompileBug, MeshctlError, SourceError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Connected, Disconnected, Event, Nacked, Subscription, Synced
from meshctl_operator.controlplane.nodes import DeclaredProxy
from meshctl_operator.controlplane.pipeline import Pipeline, Served
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds import ads
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.readiness import Timing
from meshctl_operator.xds.resources import TypeUrl
from tests.support.meshes import RawObject, service, virtual_service
from tests.support.xds_client import XdsClient

NODE = "sidecar~10.0.0.1~client.default~default.svc.cluster.local"
REVIEWS = "outbound|9080||reviews.default.svc.cluster.local"
RATINGS = "outbound|9080||ratings.default.svc.cluster.local"
SETTINGS = Settings(drain_grace=0.1, settle_timeout=10.0, source_retry=0.01, timing=Timing())


def client(address: str, node_id: str = NODE) -> XdsClient:
    """Return a client that speaks like Envoy once it follows."""
    return XdsClient(address, node_id=node_id)


async def until(events: Subscription, kind: type[Event], count: int = 1) -> list[Event]:
    """Return the events up to the wanted one."""
    seen: list[Event] = []
    async with asyncio.timeout(10):
        while sum(isinstance(event, kind) for event in seen) < count:
            seen.append(await anext(events))
    return seen


async def test_the_server_is_started_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long connections last, and how long what was removed stays."""
    started: list[ServerOptions] = []

    class NoServer:
        """A server that only says what it was started with."""

        def __init__(self, _: ControlPlane, options: ServerOptions) -> None:
            started.append(options)

        async def start(self, address: str) -> str:
            return address

        async def stop(self, _: float) -> None:
            pass

    monkeypatch.setattr(ads, "AdsServer", NoServer)
    settings = replace(SETTINGS, max_connection_age=7.0, timing=Timing(drain=3.0))
    async with ControlPlane(settings, [MemorySource()]) as plane:
        await plane.serve("127.0.0.1:0")
    assert [(options.max_connection_age, options.timing) for options in started] == [(7.0, Timing(drain=3.0))]


async def test_requests_that_answer_nothing_are_counted() -> None:
    """Once for each, by type; the stream goes on."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await envoy.wait_for(lambda: REVIEWS in envoy.resources[TypeUrl.CLUSTER])
        await envoy.send_delta(TypeUrl.ENDPOINT, nonce="of-nobody")
        source.apply(service("ratings"))
        await plane.settled()
        assert list(plane.telemetry.outdated.values()) == [("EDS", 1.0)]


async def test_a_change_reaches_the_connected_proxy() -> None:
    """Sent, accepted, settled: no sleeping needed."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await envoy.wait_for(lambda: REVIEWS in envoy.resources[TypeUrl.CLUSTER])
        source.apply(service("ratings"))
        revision = await plane.settled()
        assert "outbound|9080||ratings.default.svc.cluster.local" in envoy.resources[TypeUrl.CLUSTER]
        assert revision == plane.revision
        source.delete(ObjectKey("Service", "default", "reviews"))
        await plane.settled()
        assert REVIEWS not in envoy.resources[TypeUrl.CLUSTER]


async def test_nothing_is_served_before_every_source_is_in_sync() -> None:
    """A proxy that connects early waits."""

    class Late:
        """A source that takes its time."""

        name = "late"

        def __init__(self) -> None:
            """Wait to be released."""
            self.release = asyncio.Event()

        async def run(self, sink: Sink) -> None:
            """Submit when released."""
            await self.release.wait()
            await MemorySource(service("ratings"), name="late").run(sink)

    late = Late()
    async with ControlPlane(SETTINGS, [MemorySource(service("reviews")), late]) as plane:
        address = await plane.serve("127.0.0.1:0")
        with plane.events.subscribe() as events:
            async with client(address) as envoy:
                await envoy.follow()
                await until(events, Connected)
                assert not plane.ready
                assert plane.not_ready_because() == ("source late: not in sync yet",)
                assert not envoy.log
                late.release.set()
                await until(events, Synced)
                await plane.settled()
                assert len(envoy.responses(TypeUrl.CLUSTER)) == 1
                assert plane.ready
                assert plane.not_ready_because() == ()


async def test_events_tell_what_happened() -> None:
    """Connections, changes, answers."""
    source = MemorySource(service("reviews"))
    plane = ControlPlane(SETTINGS, [source])
    with plane.events.subscribe() as events:
        async with plane:
            (synced,) = await until(events, Synced)
            assert isinstance(synced, Synced)
            assert (synced.objects, synced.revision) == (1, plane.revision)
            async with client(await plane.serve("127.0.0.1:0")) as envoy:
                await envoy.follow()
                await until(events, Acked, 5)  # CDS, EDS, LDS, RDS, VHDS
                await plane.settled()
                source.apply(service("ratings"))
                *_, config = await until(events, ConfigApplied)
                assert isinstance(config, ConfigApplied)
                assert config.changed == (ObjectKey("Service", "default", "ratings"),)
                assert config.resources >= 2
                assert config.ms > 0
                *_, ack = await until(events, Acked)
                assert isinstance(ack, Acked)
                assert (ack.proxy, ack.revision) == ("client.default", config.revision)
            await until(events, Disconnected)
        assert [event async for event in events] == []


async def test_an_equal_change_is_silent() -> None:
    """No event, no revision, no response."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(SETTINGS, [source]) as plane:
        revision = await plane.settled()
        with plane.events.subscribe() as events:
            source.apply(service("reviews"))
            await plane.settled()
            source.apply(service("ratings"))
            seen = await until(events, ConfigApplied)
        assert len(seen) == 1
        assert plane.revision == revision + 1


async def test_a_rejected_object_is_told_with_its_findings_until_it_is_mended() -> None:
    """What is served stays."""
    source = MemorySource(service("reviews"), virtual_service("reviews", "reviews"))
    broken = virtual_service("reviews", "reviews")
    broken["spec"]["http"][0]["route"][0]["weight"] = -1
    async with ControlPlane(SETTINGS, [source]) as plane:
        await plane.settled()
        with plane.events.subscribe() as events:
            source.apply(broken)
            (told,) = await until(events, ConfigApplied)
            assert isinstance(told, ConfigApplied)
            assert told.rejected == (ObjectKey("VirtualService", "default", "reviews"),)
            assert [finding.path for finding in told.diagnostics] == ["spec.http[0].route[0].weight"]
            assert plane.diagnostics() == told.diagnostics
            source.apply(virtual_service("reviews", "reviews"))
            (healed,) = await until(events, ConfigApplied)
            assert isinstance(healed, ConfigApplied)
            assert (healed.healed, healed.changed) == (1, ())
            assert plane.diagnostics() == ()


async def test_a_rejection_by_a_proxy_is_logged_once_with_its_objects(caplog: pytest.LogCaptureFixture) -> None:
    """Other types of that proxy go on being updated."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await plane.settled()
        await envoy.wait_for(lambda: envoy.resources[TypeUrl.LISTENER])
        with plane.events.subscribe() as events, caplog.at_level(logging.ERROR, "meshctl.controlplane"):
            envoy.reject = lambda received: (
                "no such thing" if RATINGS in received.resources and received.type_url is TypeUrl.CLUSTER else None
            )
            source.apply(service("ratings"))
            *_, nacked = await until(events, Nacked)
            await plane.settled()
        assert isinstance(nacked, Nacked)
        assert nacked.objects == (ObjectKey("Service", "default", "ratings"),)
        assert nacked.detail == "no such thing"
        assert len([record for record in caplog.records if record.message == "nack"]) == 1
        assert [finding.code for finding in plane.diagnostics()] == ["MC3001"]
        envoy.reject = lambda _: None
        source.apply(service("details", port=9999))
        await plane.settled()
        await envoy.wait_for(lambda: any(name.endswith("_9999") for name in envoy.resources[TypeUrl.LISTENER]))


async def test_a_bug_of_the_compiler_keeps_what_the_proxy_has(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The server lives on and the next change is compiled."""
    source = MemorySource(service("reviews"))
    real = Pipeline.serve

    def serve(self: Pipeline, declared: DeclaredProxy, before: Served | None) -> Served:
        if self.objects == 2:
            raise CompileBug("two is too many")
        return real(self, declared, before)

    monkeypatch.setattr(Pipeline, "serve", serve)
    with caplog.at_level(logging.CRITICAL):
        async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
            await envoy.follow()
            await envoy.wait_for(lambda: REVIEWS in envoy.resources[TypeUrl.CLUSTER])
            await plane.settled()
            source.apply(service("ratings"))
            await plane.settled()
            assert set(envoy.resources[TypeUrl.CLUSTER]) >= {REVIEWS}
            assert "meshctl_compile_bugs_total 1.0" in plane.telemetry.exposition().decode()
            source.apply(service("details"))
            await plane.settled()
            assert "outbound|9080||ratings.default.svc.cluster.local" in envoy.resources[TypeUrl.CLUSTER]


@pytest.mark.parametrize("error", [SourceError("out of reach"), RuntimeError("broken")])
async def test_a_source_that_fails_is_run_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """Readiness is false meanwhile, and what is served stays."""

    class Flaky:
        """A source that fails after its first submission."""

        name = "flaky"

        def __init__(self) -> None:
            """Count the runs."""
            self.runs = 0
            self.go_on = asyncio.Event()
            self.again = asyncio.Event()

        async def run(self, sink: Sink) -> None:
            """Submit, fail, and do better the next time."""
            self.runs += 1
            await MemorySource(service("reviews"), name="flaky").run(sink)
            if self.runs == 1:
                await self.go_on.wait()
                raise error
            self.again.set()

    flaky = Flaky()
    with caplog.at_level(logging.CRITICAL):
        async with ControlPlane(SETTINGS, [flaky]) as plane:
            await plane.settled()
            assert plane.ready
            flaky.go_on.set()
            async with asyncio.timeout(10):
                await flaky.again.wait()
            await plane.settled()
            assert plane.ready
            assert 'meshctl_source_failures_total{source="flaky"} 1.0' in plane.telemetry.exposition().decode()


async def test_a_taken_address_is_said() -> None:
    """As the error that it is, not wrapped in a group."""
    async with ControlPlane(SETTINGS, []) as one:
        address = await one.serve("127.0.0.1:0")
        with pytest.raises(MeshctlError, match="cannot listen"):
            async with ControlPlane(SETTINGS, []) as two:
                await two.serve(address)


async def test_a_drained_control_plane_is_not_ready() -> None:
    """Streams are closed cleanly."""
    async with ControlPlane(SETTINGS, [MemorySource()]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await plane.settled()
        await plane.stop()
        assert plane.not_ready_because() == ("draining",)
        assert plane.sessions == ()


async def test_a_proxy_that_does_not_answer_holds_nobody_up() -> None:
    """Settling ends after its time; a revision that never comes is an error."""
    settings = Settings(drain_grace=0.1, settle_timeout=0.2)
    async with ControlPlane(settings, [MemorySource()]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        envoy.hold.add(TypeUrl.CLUSTER)
        await envoy.subscribe(TypeUrl.CLUSTER)
        await envoy.wait_for(lambda: envoy.unanswered)
        assert await plane.settled() == plane.revision
        with pytest.raises(TimeoutError):
            await plane.settled(plane.revision + 1)


async def test_labels_of_a_workload_are_followed() -> None:
    """A proxy whose Pod appears later gets what its labels ask for."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await plane.settled()
        assert "inbound|9080||" not in envoy.resources[TypeUrl.CLUSTER]
        source.apply(pod("client", {"app": "reviews"}))
        await plane.settled()
        assert "inbound|9080||" in envoy.resources[TypeUrl.CLUSTER]


def pod(name: str, labels: dict[str, str]) -> RawObject:
    """Return a Pod."""
    meta = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {}, "status": {"podIP": "10.0.0.1", "phase": "Running"}}


async def test_findings_of_compiling_have_the_place_that_the_source_knows() -> None:
    """A host that does not exist is found when a proxy asks for it."""

    class Located(MemorySource):
        """A source that knows lines."""

        def locate(self, diagnostic: Diagnostic) -> Diagnostic:
            """Return the finding with a place."""
            return diagnostic.at("mesh.yaml", 7)

    source = Located(service("reviews"), virtual_service("reviews", "nowhere"))
    async with ControlPlane(SETTINGS, [source]) as plane, client(await plane.serve("127.0.0.1:0")) as envoy:
        await envoy.follow()
        await plane.settled()
        assert places(plane.diagnostics()) == {("mesh.yaml", 7)}


def places(findings: Iterable[Diagnostic]) -> set[tuple[str | None, int | None]]:
    """Return where findings stand."""
    return {(finding.source, finding.line) for finding in findings}
