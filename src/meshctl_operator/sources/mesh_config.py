"""Istio's MeshConfig from a file that is watched."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

from meshctl_operator.apis.changes import ChangeSet, Rejected, Upsert
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.controlplane.pipeline import mesh_object
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.sources import codes
from meshctl_operator.sources.documents import parse
from meshctl_operator.sources.files import check_paths, read_text
from meshctl_operator.sources.watching import watcher

SWEEP: Final = 2.0  # seconds until the file is looked at without any event, as for directories of config objects


class MeshConfigSource:
    """The mesh-wide settings of a control plane, with the MeshConfig of a file. A broken file keeps the last good settings.

    Args:
        path: a YAML or JSON file with the fields of MeshConfig.
        settings: domain and feature switches; its MeshConfig is replaced.
    """

    def __init__(self, path: str | Path, settings: MeshSettings) -> None:
        self._path = Path(path)
        self._settings = settings
        self._read: str | Diagnostic | None = None

    @property
    def name(self) -> str:
        """The path with a prefix."""
        return f"mesh-config:{self._path}"

    async def run(self, sink: Sink) -> None:
        """Submit the settings, then every change of the file, until cancelled. Raises SettingsError if there is no such file at the start."""
        check_paths([str(self._path)])
        self._read = None
        wake = asyncio.Event()
        async with watcher(wake.set) as watching:
            while True:
                wake.clear()
                watching.take()
                for folder in {self._path.parent, self._path.resolve().parent}:  # a mounted ConfigMap is made of links
                    watching.enter(str(folder))
                watching.settle()
                self._look(sink)
                with suppress(TimeoutError):
                    async with asyncio.timeout(SWEEP):
                        await wake.wait()

    def _look(self, sink: Sink) -> None:
        """Submit what the file says, if it says something else than before."""
        text = read_text(self._path)
        if text != self._read:
            self._read = text
            sink.submit(ChangeSet((decode_mesh_text(text, str(self._path), self._settings),), self.name, synced=True))


def decode_mesh_text(text: str | Diagnostic, path: str, settings: MeshSettings) -> Upsert | Rejected:
    """Return the settings that the text of a MeshConfig file gives, or why it gives none."""
    if isinstance(text, Diagnostic):
        return Rejected(MESH_KEY, (text,))
    if not text.strip():
        finding = codes.EMPTIED.error(MESH_KEY, "", "the file is empty; write {} for the defaults").at(path, 1)
        return Rejected(MESH_KEY, (finding,))
    documents = parse(text, path)
    broken = tuple(finding for document in documents for finding in document.findings)
    if broken:
        return Rejected(MESH_KEY, broken)
    if len(documents) != 1:
        message = f"the file holds {len(documents)} documents where one is expected"
        return Rejected(MESH_KEY, (codes.NOT_AN_OBJECT.error(MESH_KEY, "", message).at(path, 1),))
    document = documents[0]
    decoded = decode_mesh_config(document.raw)
    findings = tuple(document.locate(finding) for finding in decoded.diagnostics)
    if isinstance(decoded, Rejected):
        return Rejected(MESH_KEY, findings)
    return Upsert(mesh_object(MeshSettings(decoded.object.spec, settings.domain, settings.switches)), findings)
