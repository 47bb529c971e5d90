"""MeshConfig comes from a file; a broken one keeps the last good settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meshctl_operator.apis.changes import ChangeSet, Rejected, Upsert
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.sources.mesh_config import MeshConfigSource, load_mesh_config

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


@pytest.mark.parametrize("text", ["", "a: [", "a: 1\n---\nb: 1\n", "- a\n", "connectTimeout: []\n"])
def test_a_file_that_cannot_be_used_at_the_start_is_bad_usage(tmp_path: Path, text: str) -> None:
    """There is no last good state to fall back to."""
    path = tmp_path / "mesh.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError):
        load_mesh_config(str(path), SETTINGS)


def test_unknown_fields_are_warnings(tmp_path: Path) -> None:
    """MeshConfig has fields for other parts of Istio."""
    path = tmp_path / "mesh.yaml"
    path.write_text("connectTimeout: 1s\nnoSuchField: 1\n")
    settings, findings = load_mesh_config(str(path), SETTINGS)
    assert settings.config.connect_timeout.seconds == 1
    assert [(finding.path, finding.line) for finding in findings] == [("noSuchField", 2)]


def test_a_missing_file_is_bad_usage(tmp_path: Path) -> None:
    """As for every path of the command line."""
    with pytest.raises(SettingsError):
        load_mesh_config(str(tmp_path / "none.yaml"), SETTINGS)
