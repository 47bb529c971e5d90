"""The worker serves what changed, tells it once, and leaves the loop free meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.clock import SystemClock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.controlplane.events import ConfigApplied, EventBus, Synced
from meshctl_operator.controlplane.pipeline import Pipeline, Step
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings, Windows
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.controlplane.worker import PIECE, Worker
from meshctl_operator.xds.events import AckEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from tests.support.meshes import service, virtual_service

SETTINGS = Settings(windows=Windows(config_quiet=0.0))
TIMEOUT = 10.0


def upsert(document: dict[str, Any]) -> Upsert:
    """Return an object that appeared."""
    decoded = decode(document)
    assert isinstance(decoded, Upsert)
    return decoded


class Answering:
    """The stream of a client that accepts everything at once."""

    def __init__(self, worker: Worker, session: ProxySession) -> None:
        """Answer for a session."""
        self.worker, self.session, self.states = worker, session, 0

    def changed(self) -> None:
        """Accept the state."""
        assert self.session.state is not None
        self.states += 1
        revision = self.session.state.revision
        asyncio.get_running_loop().call_soon(self.worker.answers.acked, self.session, AckEvent(TypeUrl.CLUSTER, revision, {}))

    def knows(self, type_url: TypeUrl) -> bool:
        """Say that clusters were asked for."""
        return type_url is TypeUrl.CLUSTER

    def held(self, type_url: TypeUrl) -> None:
        """Return nothing."""

    def accepted(self, type_url: TypeUrl) -> ShardedMap[XdsResource]:
        """Return nothing."""
        assert type_url in TypeUrl
        return EMPTY_MAP


class Rig:
    """A worker without gRPC."""

    def __init__(self, *, in_sync: bool = True) -> None:
        """Wire a worker to a pipeline; ``in_sync`` says that every source has told everything."""
        self.telemetry, self.events, self.in_sync = Telemetry(), EventBus(), in_sync
        self.pipeline = Pipeline(SETTINGS, ["s"])
        self.turned = asyncio.Event()
        self.worker = Worker(
            SETTINGS,
            self.pipeline,
            self.telemetry,
            self.events,
            SystemClock(),
            in_sync=lambda: self.in_sync,
            locate=lambda finding: finding,
            progress=self.turned.set,
        )

    def submit(self, *changes: Change) -> None:
        """Submit a set."""
        self.worker.submit(ChangeSet(changes, "s"))

    def connect(self, name: str) -> Answering:
        """Open a stream."""
        node = NodeInfo(f"sidecar~10.0.0.1~{name}.default~default.svc.cluster.local")
        session = ProxySession(node, "delta", "ipv4:127.0.0.1:1", 0.0, ControlPlane(SETTINGS, []))
        stream = Answering(self.worker, session)
        session.attach(stream)
        self.worker.opened(session)
        return stream

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a turn of work after which something holds."""
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self.turned.clear()
                await self.turned.wait()

    async def idle(self) -> None:
        """Wait until there is nothing to do."""
        await self.until(lambda: self.worker.idle)


@asynccontextmanager
async def working(*, in_sync: bool = True) -> AsyncIterator[Rig]:
    """Run a worker for the length of a block."""
    rig = Rig(in_sync=in_sync)
    running = asyncio.create_task(rig.worker.run())
    try:
        yield rig
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_nobody_is_served_before_the_sources_are_in_sync() -> None:
    """Then those who wait are, and that is told before anything else."""
    async with working(in_sync=False) as rig:
        with rig.events.subscribe(Synced, ConfigApplied) as events:
            stream = rig.connect("a")
            rig.submit(upsert(service("reviews")))
            await rig.until(lambda: rig.pipeline.objects == 1)
            assert stream.session.state is None
            rig.in_sync = True
            rig.worker.wake()
            await rig.idle()
            assert [type(event) for event in events.take()] == [Synced]
        assert stream.states == 1


async def test_proxies_that_a_change_does_not_reach_are_left_alone() -> None:
    """An object of another namespace that is exported to nobody else."""
    async with working() as rig:
        rig.submit(upsert(service("reviews")))
        stream = rig.connect("a")
        await rig.idle()
        hidden = service("hidden", namespace="elsewhere")
        hidden["metadata"]["annotations"] = {"networking.istio.io/exportTo": "."}
        rig.submit(upsert(hidden))
        await rig.idle()
        assert stream.states == 1
        rig.submit(upsert(service("ratings")))
        await rig.idle()
        assert stream.states == 2


async def test_a_large_batch_is_applied_in_pieces() -> None:
    """It is one batch all the same: one event, one state, and the loop runs in between."""
    async with working() as rig:
        stream = rig.connect("a")
        await rig.idle()
        sizes: list[int] = []
        apply = rig.pipeline.apply

        def counted(changes: Any) -> Step:
            sizes.append(len(changes))
            return apply(changes)

        rig.pipeline.apply = counted  # type: ignore[method-assign]  # to look on
        with rig.events.subscribe(ConfigApplied) as events:
            rig.submit(*(upsert(service(f"s{number}")) for number in range(PIECE + 1)))
            await rig.idle()
            (told,) = events.take()
        assert isinstance(told, ConfigApplied)
        assert (sizes, len(told.changed), told.revision) == ([PIECE, 1], PIECE + 1, rig.pipeline.revision)
        assert stream.states == 2


async def test_findings_come_and_go_with_the_proxies_that_meet_them() -> None:
    """Each is told once, however many proxies meet it."""
    async with working() as rig:
        rig.submit(upsert(service("reviews")), upsert(virtual_service("reviews", "nowhere")))
        await rig.idle()
        streams = [rig.connect(f"p{number}") for number in range(3)]
        await rig.idle()
        found = rig.worker.findings()
        assert [finding.subject.name for finding in found] == ["reviews"]
        assert rig.telemetry.findings.total == 1
        for stream in streams:
            rig.worker.closed(stream.session)
        with rig.events.subscribe(ConfigApplied) as events:
            rig.submit(Delete(ObjectKey("VirtualService", "default", "reviews")))
            await rig.idle()
            (told,) = events.take()
        assert isinstance(told, ConfigApplied)
        assert told.healed == 1
        assert rig.worker.findings() == ()


async def test_what_happened_is_counted() -> None:
    """Changes by kind, what was computed, and how long it took until the last ACK."""
    async with working() as rig:
        for name in ("a", "b"):
            rig.connect(name)
        rig.submit(upsert(service("reviews")))
        await rig.idle()
        rig.submit(upsert(service("ratings")), Delete(ObjectKey("Service", "default", "reviews")))
        await rig.idle()
        telemetry = rig.telemetry
        rig.worker.wake()
        await rig.until(lambda: telemetry.acks.total == 4)
        assert telemetry.changes.of("Service").value == 3
        assert telemetry.batches.of("config").value >= 2
        assert telemetry.recomputed.total > 10
        assert telemetry.objects.value == 1
        assert telemetry.revision.value == rig.pipeline.revision
        assert telemetry.acks.of("CDS").value == 4
        assert telemetry.proxy_convergence.count == 2
        assert telemetry.convergence.count == 1


async def test_an_endpoint_change_is_one_by_what_differs() -> None:
    """The window is that of endpoints, and the batch is counted as such."""
    entry: dict[str, Any] = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {
            "hosts": ["a.example"],
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "endpoints": [{"address": "10.0.0.1"}],
        },
    }
    async with working() as rig:
        rig.submit(upsert(entry))
        await rig.idle()
        before = rig.telemetry.batches.of("config").value
        entry["spec"]["endpoints"] = [{"address": "10.0.0.2"}]
        rig.submit(upsert(entry))
        await rig.idle()
        assert rig.telemetry.batches.of("endpoints").value == 1
        assert rig.telemetry.batches.of("config").value == before
