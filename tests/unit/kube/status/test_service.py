"""Everything about status beside a control plane, with a pretended API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.source import KubernetesSource, Observer
from meshctl_operator.kube.status.election import LeaseTimes
from meshctl_operator.kube.status.service import StatusService
from meshctl_operator.kube.status.settings import StatusSettings
from meshctl_operator.status.conditions import ConditionType, find, stored_conditions
from meshctl_operator.status.planning import Pacing
from tests.support.fake_api import FakeApi
from tests.support.meshes import RawObject, virtual_service

PATH = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
STATUS = StatusSettings(
    "lead", "one", "token", pacing=Pacing(apply_gap=0.0, pending_after=0.0, retry_least=0.01), lease=LeaseTimes(retry=0.02), retry=0.01
)


class Watched:
    """A source that tells what is written to the pretended server, as watches do."""

    name = "kubernetes"

    def __init__(self, api: FakeApi) -> None:
        """Watch a server."""
        self.api = api
        self.observer: Observer | None = None
        self.sink: Sink | None = None

    def observed_by(self, observer: Observer) -> None:
        """Tell somebody."""
        self.observer = observer

    async def run(self, sink: Sink) -> None:
        """Tell that there is nothing."""
        self.sink = sink
        sink.submit(ChangeSet((), self.name, synced=True))

    def apply(self, given: RawObject) -> None:
        """Store an object and tell of it."""
        place = f"{PATH}/{given['metadata']['name']}"
        raw = self.api._store(place, {**given, "metadata": {**given["metadata"], "uid": "u", "generation": 1}})
        decoded = decode(raw)
        assert isinstance(decoded, Upsert)
        self._tell(decoded.key, raw, decoded)

    def delete(self, name: str) -> None:
        """Delete an object and tell of it."""
        del self.api.documents[f"{PATH}/{name}"]
        key = ObjectKey("VirtualService", "default", name)
        self._tell(key, None, Delete(key))

    def _tell(self, key: ObjectKey, raw: dict[str, Any] | None, change: Change) -> None:
        assert self.observer is not None
        assert self.sink is not None
        self.observer.told(key, raw, (change,))
        self.sink.submit(ChangeSet((change,), self.name))


@asynccontextmanager
async def running(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    """Run a control plane with the service beside it."""
    monkeypatch.setattr(Connection, "load", lambda _: api)
    source = Watched(api)
    plane = ControlPlane(Settings(), [source])
    service = StatusService(plane, cast("KubernetesSource", source), KubeSettings(), STATUS)
    async with plane:
        await plane.settled()
        task = asyncio.create_task(service.run())
        try:
            yield source
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def reason(api: FakeApi, name: str = "a") -> str:
    """Return why an object is or is not programmed."""
    found = find(stored_conditions(api.documents[f"{PATH}/{name}"].get("status")), ConditionType.PROGRAMMED)
    return found.reason if found is not None else ""


async def until(check: Callable[[], bool]) -> None:
    """Wait for what threads do."""
    while not check():  # noqa: ASYNC110  (threads announce nothing)
        await asyncio.sleep(0.01)


async def test_an_object_gets_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """One write, and none after that."""
    api = FakeApi()
    async with running(api, monkeypatch) as source:
        source.apply(virtual_service("a", "b"))
        await until(lambda: reason(api) == "NoProxies")
        source.apply(virtual_service("c", "b"))
        await until(lambda: reason(api, "c") == "NoProxies")
        written = [path for method, path, _ in api.requests if method == "PATCH"]
        assert written == [f"{PATH}/a/status", f"{PATH}/c/status"]


async def test_whoever_does_not_lead_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the Lease is free: then everything is written that is not said yet."""
    api = FakeApi()
    lease = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/lead"
    api._store(lease, {"metadata": {"name": "lead"}, "spec": {"holderIdentity": "another"}})
    async with running(api, monkeypatch) as source:
        source.apply(virtual_service("a", "b"))
        await asyncio.sleep(0.1)
        assert not reason(api)
        api._store(lease, {"metadata": {"name": "lead"}, "spec": {"holderIdentity": ""}})
        await until(lambda: reason(api) == "NoProxies")


async def test_trouble_is_outlived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures and bugs are tried again; what is gone meanwhile is forgotten."""
    api = FakeApi()
    async with running(api, monkeypatch) as source:
        source.apply(virtual_service("first", "b"))
        await until(lambda: reason(api, "first") == "NoProxies")
        api.fail_patches = ApiFailure("away", 503)
        source.apply(virtual_service("a", "b"))
        await until(lambda: sum(method == "PATCH" for method, _, _ in api.requests) > 1)
        api.fail_patches = None
        await until(lambda: reason(api) == "NoProxies")
        api.fail_patches = ValueError("a bug")
        source.apply(virtual_service("c", "b"))
        await until(lambda: any(path.endswith("/c/status") for _, path, _ in api.requests))
        api.fail_patches = None
        await until(lambda: reason(api, "c") == "NoProxies")
        source.delete("a")
        source.apply(virtual_service("d", "b"))
        await until(lambda: reason(api, "d") == "NoProxies")


async def test_a_bug_starts_everything_anew(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The control plane goes on meanwhile, and so does status after a while."""
    api = FakeApi()
    async with running(api, monkeypatch) as source:
        api.fail = ValueError("a bug")
        await until(lambda: any(record.message == "status failed" for record in caplog.records))
        api.fail = None
        source.apply(virtual_service("a", "b"))
        await until(lambda: reason(api) == "NoProxies")
