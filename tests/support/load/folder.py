"""A directory of config objects, one file each, whose changes appear whole: files are written beside it and renamed into place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

DUMPER: type[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class ConfigFolder:
    """The directory ``root/config`` that a control plane watches. ``prepare`` writes files that ``put`` renames, so that an event is short."""

    def __init__(self, root: Path) -> None:
        self.path = root / "config"
        self._beside = root / "beside"
        self.path.mkdir(parents=True)
        self._beside.mkdir()

    def put(self, *objects: dict[str, Any]) -> None:
        """Create or replace objects."""
        for name in self.prepare(objects):
            self.place(name)

    def prepare(self, objects: Iterable[dict[str, Any]]) -> list[str]:
        """Write objects where nobody looks; returns the names of their files."""
        names = []
        for document in objects:
            meta = document["metadata"]
            name = f"{document['kind']}_{meta['namespace']}_{meta['name']}.yaml".lower()
            (self._beside / name).write_text(yaml.dump(document, Dumper=DUMPER, sort_keys=False))
            names.append(name)
        return names

    def place(self, *names: str) -> None:
        """Let prepared files appear."""
        for name in names:
            (self._beside / name).replace(self.path / name)

    def reorder(self, document: dict[str, Any]) -> None:
        """Write an object again with its keys in another order and a comment: the same content in other bytes."""
        names = self.prepare([dict(reversed(document.items()))])
        for name in names:
            path = self._beside / name
            path.write_text("# the same, in another order\n" + path.read_text())
        self.place(*names)
