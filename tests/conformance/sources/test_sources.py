"""What every source must do, tried on each of them in the same way."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.ledger import Ledger
from meshctl_operator.controlplane.source import Source
from meshctl_operator.kube.source import KubernetesSource
from meshctl_operator.sources.directory import DirectorySource
from meshctl_operator.sources.memory import MemorySource
from tests.support.api_server import ApiServer
from tests.support.kube_rig import kube_settings
from tests.support.meshes import RawObject, istio

TIMEOUT = 20.0


def entry(name: str, port: int) -> RawObject:
    """Return a ServiceEntry: of a routing kind, since an API server would not even store a broken Service."""
    ports = [{"number": port, "name": "http", "protocol": "HTTP"}]
    return istio("ServiceEntry", name, {"hosts": [f"{name}.example.com"], "ports": ports, "location": "MESH_EXTERNAL", "resolution": "DNS"})


class Rig(ABC):
    """A source whose objects a test can change."""

    source: Source

    @abstractmethod
    def put(self, *objects: RawObject) -> None:
        """Add or replace objects."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove a ServiceEntry of the default namespace."""


class MemoryRig(Rig):
    """Objects in memory."""

    def __init__(self, _: Path) -> None:
        """Start empty."""
        self.memory = MemorySource()
        self.source = self.memory

    def put(self, *objects: RawObject) -> None:
        """Apply them as one set."""
        self.memory.apply(*objects)

    def delete(self, name: str) -> None:
        """Delete by key."""
        self.memory.delete(ObjectKey("ServiceEntry", "default", name))


class DirectoryRig(Rig):
    """Objects in files, one each."""

    def __init__(self, folder: Path) -> None:
        """Start empty."""
        self.folder = folder
        self.source = DirectorySource([folder])

    def put(self, *objects: RawObject) -> None:
        """Write their files."""
        for obj in objects:
            (self.folder / f"{obj['metadata']['name']}.yaml").write_text(yaml.safe_dump(obj))

    def delete(self, name: str) -> None:
        """Delete the file."""
        (self.folder / f"{name}.yaml").unlink()


class KubernetesRig(Rig):
    """Objects of a real API server."""

    def __init__(self, server: ApiServer) -> None:
        """Start with what the server keeps itself."""
        self.server = server
        self.source = KubernetesSource(kube_settings(server.kubeconfig()))

    def put(self, *objects: RawObject) -> None:
        """Apply them."""
        self.server.apply(*objects)

    def delete(self, name: str) -> None:
        """Delete it."""
        self.server.delete(entry(name, 1))


class Observer:
    """A sink that keeps the state which a control plane would have."""

    def __init__(self, name: str) -> None:
        """Start empty and not in sync."""
        self.ledger = Ledger([name])
        self.synced = False
        self.sources: set[str] = set()
        self._changed = asyncio.Event()

    def submit(self, changes: ChangeSet) -> None:
        """Apply a set."""
        self.ledger.apply([(changes.source, change) for change in changes.changes])
        self.synced |= changes.synced
        self.sources.add(changes.source)
        self._changed.set()

    @property
    def ports(self) -> dict[str, int]:
        """The ports of the ServiceEntries held."""
        entries = [upsert for upsert in self.ledger.all_effective() if upsert.key.kind == "ServiceEntry"]
        return {upsert.key.name: upsert.object.spec.ports[0].number for upsert in entries}

    async def becomes(self, ports: dict[str, int], *, findings: bool = False) -> None:
        """Wait until exactly these ServiceEntries are held, in sync, with or without findings."""
        async with asyncio.timeout(TIMEOUT):
            while not (self.synced and self.ports == ports and bool(self.ledger.findings()) == findings):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def observing(rig: Rig) -> AsyncIterator[Observer]:
    """Run the source for the length of a block."""
    observer = Observer(rig.source.name)
    running = asyncio.create_task(rig.source.run(observer))
    try:
        yield observer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(params=["memory", "directory", pytest.param("kubernetes", marks=pytest.mark.apiserver)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """Return each kind of source in turn."""
    match request.param:
        case "memory":
            return MemoryRig(tmp_path)
        case "directory":
            return DirectoryRig(tmp_path)
        case _:
            return KubernetesRig(request.getfixturevalue("server"))


async def test_an_empty_source_is_in_sync(rig: Rig) -> None:
    """Having nothing is something to say."""
    async with observing(rig) as observer:
        await observer.becomes({})
        assert observer.sources == {rig.source.name}


async def test_what_was_there_before_is_the_initial_state(rig: Rig) -> None:
    """All of it, before the source says that it is in sync."""
    rig.put(entry("a", 1), entry("b", 2))
    async with observing(rig) as observer:
        await observer.becomes({"a": 1, "b": 2})


async def test_additions_changes_and_removals_are_told(rig: Rig) -> None:
    """One after the other."""
    rig.put(entry("a", 1))
    async with observing(rig) as observer:
        await observer.becomes({"a": 1})
        rig.put(entry("b", 2))
        await observer.becomes({"a": 1, "b": 2})
        rig.put(entry("a", 3))
        await observer.becomes({"a": 3, "b": 2})
        rig.delete("a")
        await observer.becomes({"b": 2})
        rig.put(entry("a", 4))
        await observer.becomes({"a": 4, "b": 2})


async def test_a_rejected_object_keeps_its_last_good_state_until_it_is_mended(rig: Rig) -> None:
    """A finding says so meanwhile."""
    broken = entry("a", 1)
    broken["spec"]["ports"] = [{"number": "soon", "name": "http", "protocol": "HTTP"}]
    rig.put(entry("a", 1))
    async with observing(rig) as observer:
        await observer.becomes({"a": 1})
        rig.put(broken)
        await observer.becomes({"a": 1}, findings=True)
        rig.put(entry("a", 1))
        await observer.becomes({"a": 1})
        rig.put(broken)
        await observer.becomes({"a": 1}, findings=True)
        rig.delete("a")
        await observer.becomes({})


async def test_an_object_that_was_never_good_is_a_finding(rig: Rig) -> None:
    """And costs no other one."""
    broken = entry("a", 1)
    broken["spec"]["ports"] = 5
    rig.put(broken, entry("b", 2))
    async with observing(rig) as observer:
        await observer.becomes({"b": 2}, findings=True)


async def test_a_source_that_runs_again_tells_everything_anew(rig: Rig) -> None:
    """A control plane runs a source again after a failure."""
    rig.put(entry("a", 1))
    async with observing(rig) as observer:
        await observer.becomes({"a": 1})
    rig.put(entry("b", 2))
    async with observing(rig) as observer:
        await observer.becomes({"a": 1, "b": 2})
