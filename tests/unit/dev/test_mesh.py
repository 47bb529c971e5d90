"""Parts of the local mesh that need no Envoy."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.base.errors import MeshctlError, SettingsError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import ConfigApplied, Connected, EventBus
from meshctl_operator.dev import mesh
from meshctl_operator.dev.config import ProcessEntry, load
from meshctl_operator.dev.mesh import DevOptions, LocalMesh, Traffic, add_up, read_objects
from tests.support.local_objects import deployment, service


def test_the_scenario_replaces_objects_of_the_same_name(tmp_path: Path) -> None:
    """An overlay wins, whatever its file is called; scenarios that were not chosen and the file itself are no config."""
    for folder in ("scenarios/one", "scenarios/two"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "meshctl-dev.yaml").write_text("scenarios: scenarios/\n")
    (tmp_path / "a.yaml").write_text(service("reviews", ports="[{port: 1}]"))
    (tmp_path / "scenarios/one/z.yaml").write_text(service("reviews", ports="[{port: 2}]"))
    (tmp_path / "scenarios/two/z.yaml").write_text(service("ratings"))
    (base,) = read_objects(load(tmp_path))
    assert base.spec.ports[0].port == 1
    (overlaid,) = read_objects(load(tmp_path, "one"))
    assert overlaid.spec.ports[0].port == 2


def test_traffic_adds_up_the_listeners() -> None:
    """Requests are counted over all connection managers, redirects among the good ones, the admin interface apart."""
    counters = {
        "http.outbound_127.0.0.1_8080;.downstream_rq_completed": 7,
        "http.entrance.downstream_rq_completed": 3,
        "http.admin.downstream_rq_completed": 99,
        "http.outbound_127.0.0.1_8080;.downstream_rq_2xx": 5,
        "http.outbound_127.0.0.1_8080;.downstream_rq_3xx": 1,
        "http.entrance.downstream_rq_4xx": 2,
        "http.entrance.downstream_rq_5xx": 2,
    }
    assert add_up(counters, gateway=True) == Traffic(10, 6, 2, 2)


def test_traffic_of_a_sidecar_is_inbound() -> None:
    """What a workload asks of others is counted where it is answered."""
    counters = {
        "http.inbound_127.0.9.1_9080;.downstream_rq_completed": 2,
        "http.outbound_127.0.0.1_20002;.downstream_rq_completed": 4,
    }
    assert add_up(counters, gateway=False).total == 2


async def test_the_error_of_a_task_ends_the_block() -> None:
    """What supervises processes fails with the error of one, and the others end."""
    ended = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def fail() -> None:
        raise MeshctlError("broken")

    async def block() -> None:
        async with mesh._nursery() as start:
            start(wait(), "waits")
            await asyncio.sleep(0)
            start(fail(), "fails")
            await asyncio.Event().wait()

    with pytest.raises(MeshctlError, match="broken"):
        await block()
    assert ended.is_set()


async def test_tasks_end_with_the_block() -> None:
    """Leaving the block ends the tasks without an error."""
    async with asyncio.timeout(5), mesh._nursery() as start:
        start(asyncio.sleep(1000), "sleeps")


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1", "127.0.0.1:http"])
def test_where_a_process_listens(listen: str) -> None:
    """``listen`` is address and port."""
    with pytest.raises(SettingsError, match="is not address:port"):
        mesh._check_free(ProcessEntry(name="outside", command=("run",), listen=listen))


def test_a_taken_port_is_refused() -> None:
    """A process whose port is taken is not started."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(1)
        entry = ProcessEntry(name="outside", command=("run",), listen=f"127.0.0.1:{busy.getsockname()[1]}")
        with pytest.raises(MeshctlError, match="outside needs it"):
            mesh._check_free(entry)
    mesh._check_free(ProcessEntry(name="silent", command=("run",)))


class Recorder:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        """Start empty."""
        self.events: list[Any] = []
        self.is_ready = asyncio.Event()

    def starting(self, proxies: Any) -> None:
        """Ignore it."""

    def ready(self, ready: Any) -> None:
        """Keep it."""
        self.events.append(ready)
        self.is_ready.set()

    def event(self, event: Any) -> None:
        """Keep it."""
        self.events.append(event)

    async def watch(self, mesh: Any) -> None:
        """Ask nothing."""


async def test_events_are_told_with_what_needs_a_restart() -> None:
    """A Deployment that appears later is remarked; all else is passed on."""
    bus, recorder = EventBus(), Recorder()
    new = ObjectKey("Deployment", "default", "reviews-v4")
    with bus.subscribe() as events:
        bus.emit(Connected("p", "delta"))
        bus.emit(ConfigApplied(2, (new,), (), 0))
        bus.end()
        await mesh._forward(events, recorder, frozenset())
    assert isinstance(recorder.events[0], Connected)
    assert [finding.code for finding in recorder.events[1].diagnostics] == ["MC4104"]


async def test_an_envoy_that_ends_at_once_is_an_error(tmp_path: Path) -> None:
    """The start fails with the last words of the process that did not make it, and leaves nothing running."""
    (tmp_path / "gw.yaml").write_text(deployment("gw", labels="{istio: ingressgateway}"))
    envoy = tmp_path / "envoy"
    envoy.write_text("#!/bin/sh\necho no such option\nexit 1\n")
    envoy.chmod(0o755)
    local = LocalMesh(load(tmp_path), DevOptions(envoy, tmp_path))
    with pytest.raises(MeshctlError, match=r"envoy\.gw\.default ended on its own; its last words:\nno such option"):
        await local.run(Recorder())


async def test_a_mesh_without_workloads_is_ready_at_once(tmp_path: Path) -> None:
    """With nothing to run there is still a control plane; cancelling ends it."""
    (tmp_path / "a.yaml").write_text(deployment("reviews-v1"))
    local = LocalMesh(load(tmp_path), DevOptions(tmp_path / "envoy", tmp_path))
    recorder = Recorder()
    task = asyncio.create_task(local.run(recorder))
    async with asyncio.timeout(20):
        await recorder.is_ready.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    ready = recorder.events[0]
    assert [finding.code for finding in ready.findings] == ["MC4101"]
    assert ready.xds.startswith("127.0.0.1:")
    assert await local.traffic() == {}
