"""MeshConfig comes from a file; a broken one keeps the last good settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meshctl_operator.apis.changes import ChangeSet, Rejected, Upsert
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.sources.mesh_config import MeshConfigSource

SETTINGS = MeshSettings(domain="mesh.test", switches=(("A", "1"),))


class Queue:
    """A sink to wait at."""

    def __init__(self) -> None:
        """Start empty."""
        self.sets: asyncio.Queue[ChangeSet] = asyncio.Queue()

    def submit(self, changes: ChangeSet) -> None:
        """Keep a set."""
        self.sets.put_nowait(changes)

    async def next(self) -> Upsert | Rejected:
        """Return the next change."""
        async with asyncio.timeout(10):
            (change,) = (await self.sets.get()).changes
        assert isinstance(change, Upsert | Rejected)
        return change


async def test_changes_of_the_file_are_submitted(tmp_path: Path) -> None:
    """Good, broken with file and line, empty, good again."""
    path, sink = tmp_path / "mesh.yaml", Queue()
    path.write_text("connectTimeout: 3s\n")
    source = MeshConfigSource(path, SETTINGS)
    running = asyncio.create_task(source.run(sink))
    try:
        first = await sink.next()
        assert isinstance(first, Upsert)
        spec: MeshSettings = first.object.spec
        assert (spec.config.connect_timeout.seconds, spec.domain, spec.switches) == (3, "mesh.test", (("A", "1"),))
        path.write_text("rootNamespace: x\nconnectTimeout: soon\n")
        broken = await sink.next()
        assert isinstance(broken, Rejected)
        assert broken.diagnostics[0].line == 2
        path.write_text("connectTimeout: 4s\n")
        healed = await sink.next()
        assert isinstance(healed, Upsert)
        assert healed.object.spec.config.connect_timeout.seconds == 4
    finally:
        running.cancel()
