"""A directory tree, entry by entry, so that a walk over thousands of files can pause anywhere: one call of the system per file."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshctl_operator.sources.watching import joined

SUFFIXES: Final = (".yaml", ".yml", ".json")

Signature = tuple[int, int, int]
"""Modification time, size and inode of a file: if they are equal, so is most probably what it holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of configuration. ``linked`` says that its path is, or leads through, a symbolic link."""

    path: str
    signature: Signature
    linked: bool


def signature_of(status: os.stat_result) -> Signature:
    """Return what tells one state of a file from another."""
    return status.st_mtime_ns, status.st_size, status.st_ino


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is left out because of its name: those of editors, and the inside of mounted ConfigMaps."""
    return name.startswith(".")


def has_objects(name: str) -> bool:
    """Tell whether a file counts because of its name."""
    return name.lower().endswith(SUFFIXES)


def walk(root: Path, exclude: frozenset[Path] = frozenset(), enter: Callable[[str], None] = lambda _: None) -> Iterator[Found]:
    """Yield the files below a folder, in no particular order.

    Hidden files and folders are left out, and what is in or below ``exclude``. Symbolic links are followed (a mounted ConfigMap is made
    of them), a loop of them is not. ``enter`` is called with each folder before it is read.
    """
    if exclude.isdisjoint((root, *root.parents)):
        yield from _walk(str(root), frozenset(map(str, exclude)), frozenset(), enter, linked=root.is_symlink())


def _walk(
    folder: str, exclude: frozenset[str], above: frozenset[tuple[int, int]], enter: Callable[[str], None], *, linked: bool
) -> Iterator[Found]:
    enter(folder)
    try:
        status = Path(folder).stat()
        identity = status.st_dev, status.st_ino
        if identity in above:
            return
        with os.scandir(folder) as entries:
            listed = list(entries)
    except OSError:
        return
    for entry in listed:
        if is_hidden(entry.name):
            continue
        path = joined(folder, entry.name)
        if path in exclude:
            continue
        through_link = linked or entry.is_symlink()
        if entry.is_dir():
            yield from _walk(path, exclude, above | {identity}, enter, linked=through_link)
        elif has_objects(entry.name):
            try:
                status = entry.stat()
            except OSError:  # gone again, or a link to nowhere
                continue
            if stat.S_ISREG(status.st_mode):
                yield Found(path, signature_of(status), through_link)
