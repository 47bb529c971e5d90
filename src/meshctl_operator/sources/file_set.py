"""Which object counts, when several files speak of it and files may be half-written: pure state, no I/O.

The first file by rank that has a usable object wins. A file that is broken keeps what it had (its last good state) for as long as it is
broken; an object that is rejected keeps its last good state as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.documents import Document
from meshctl_operator.sources.loading import Loaded, defined_twice, emptied

Rank = tuple[int | str, ...]


@dataclass(slots=True)
class _File:
    """The state of one file. ``kept`` are objects of an earlier state that stay in service; ``leaving`` says that the file is gone."""

    loaded: Loaded
    offers: dict[ObjectKey, Upsert] = field(default_factory=dict)
    documents: dict[ObjectKey, Document] = field(default_factory=dict)
    findings: tuple[Diagnostic, ...] = ()
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class _Told:
    """What was said last about a key: the object, its warnings, and the errors of a rejection."""

    upsert: Upsert | None
    errors: tuple[Diagnostic, ...] = ()


_NOTHING = _Told(None)


class FileSet:
    """The files of a source. ``layer`` gives the layer of a file: a lower layer overrides a higher one in silence."""

    def __init__(self, rank: Callable[[str], Rank], layer: Callable[[str], int] = lambda _: 0) -> None:
        self._rank = rank
        self._layer = layer
        self._files: dict[str, _File] = {}
        self._mentions: dict[ObjectKey, set[str]] = {}
        self._told: dict[ObjectKey, _Told] = {}
        self._dirty: dict[ObjectKey, None] = {}
        self._dirty_files: dict[str, None] = {}

    def put(self, loaded: Loaded, *, confirmed: bool = False) -> bool:
        """Take the new state of a file. Returns whether it may be half-written, so that a second look should confirm it.

        Without ``confirmed``, objects that seem to be removed are kept, and a last object without a line break after it as well: a file
        that is being written looks like a shorter one.
        """
        old = self._files.get(loaded.name)
        new = _File(loaded, dict(loaded.accepted), dict(loaded.documents), loaded.findings)
        doubtful = False
        if old is not None:
            missing = {key: upsert for key, upsert in old.offers.items() if key not in loaded.accepted}
            keeps = {key: upsert for key, upsert in missing.items() if key in loaded.rejected}
            if loaded.broken or loaded.blank:
                keeps = missing
            elif missing.keys() - keeps.keys() and not confirmed:
                doubtful, keeps = True, missing
            tail = loaded.unfinished
            if tail in old.offers and tail in loaded.accepted and old.offers[tail] != loaded.accepted[tail] and not confirmed:
                doubtful, keeps = True, {**keeps, tail: old.offers[tail]}
            new.offers |= keeps
            new.documents = {key: old.documents[key] for key in keeps if key in old.documents} | new.documents
            if loaded.blank and keeps:
                new.findings = (*new.findings, emptied(loaded.name, keeps))
        self._replace(loaded.name, new)
        return doubtful

    def leave(self, name: str) -> None:
        """Note that a file is gone; its objects stay until ``remove``, since editors delete and create when they save."""
        file = self._files.get(name)
        if file is not None and not file.leaving:
            file.leaving = True
            self._touch(name, file)

    def stay(self, name: str) -> None:
        """Take back ``leave``: the file is only out of sight."""
        file = self._files.get(name)
        if file is not None and file.leaving:
            file.leaving = False
            self._touch(name, file)

    def remove(self, name: str) -> None:
        """Forget a file and its objects."""
        self._replace(name, None)

    def names(self) -> tuple[str, ...]:
        """Return the files that are known, the leaving ones included."""
        return tuple(self._files)

    def document(self, key: ObjectKey) -> Document | None:
        """Return the place of the object that counts."""
        winner = self._winner(key)
        name = winner or next(iter(self._ranked(key)), None)
        return self._files[name].documents.get(key) if name else None

    def telling(self) -> Iterator[Change]:
        """Yield what changed since the last call, by key; findings about files come under the key of the file.

        Each is computed when it is asked for: thousands of files take a while.
        """
        for key in sorted(self._dirty):
            del self._dirty[key]
            yield from self._tell(key, self._now(key))
        for name in sorted(self._dirty_files):
            del self._dirty_files[name]
            yield from self._tell(codes.file_key(name), _Told(None, tuple(self._file_findings(name))))

    def told(self) -> tuple[Change, ...]:
        """Return everything that was said and still holds, by key."""
        return tuple(change for key in sorted(self._told) for change in _changes(key, self._told[key]))

    def _replace(self, name: str, new: _File | None) -> None:
        old = self._files.pop(name, None)
        if old is not None:
            self._touch(name, old)
            for key in _mentioned(old):
                self._mentions[key].discard(name)
                if not self._mentions[key]:
                    del self._mentions[key]
        if new is not None:
            self._files[name] = new
            for key in _mentioned(new):
                self._mentions.setdefault(key, set()).add(name)
            self._touch(name, new)

    def _touch(self, name: str, file: _File) -> None:
        """Mark what depends on a file: its keys, and the findings of every file that has one of them."""
        self._dirty_files[name] = None
        for key in _mentioned(file):
            self._dirty[key] = None
            for other in self._mentions.get(key, ()):
                self._dirty_files[other] = None

    def _ranked(self, key: ObjectKey) -> list[str]:
        """Return the files that mention the key, the one that counts first; leaving files last."""
        names = self._mentions.get(key, ())
        if len(names) <= 1:  # nearly always; a rank takes longer than the rest
            return list(names)
        return sorted(names, key=lambda name: (self._files[name].leaving, self._layer(name), self._rank(name)))

    def _winner(self, key: ObjectKey) -> str | None:
        return next((name for name in self._ranked(key) if key in self._files[name].offers), None)

    def _now(self, key: ObjectKey) -> _Told:
        winner = self._winner(key)
        rejections = [
            self._files[name].loaded.rejected[key]
            for name in self._ranked(key)
            if key in self._files[name].loaded.rejected and not self._files[name].leaving
        ]
        errors = tuple(finding for rejected in rejections for finding in rejected.diagnostics)
        return _Told(self._files[winner].offers[key] if winner else None, errors)

    def _tell(self, key: ObjectKey, now: _Told) -> Iterator[Change]:
        """Yield the changes that lead from what was said last to what holds now."""
        before = self._told.pop(key, _NOTHING)
        if now != _NOTHING:
            self._told[key] = now
        if now == before:
            return
        if now.upsert is not None:
            if now.upsert != before.upsert or not now.errors:
                yield now.upsert
        elif before.upsert is not None or not now.errors:
            yield Delete(key)
        if now.errors:
            yield Rejected(key, now.errors)

    def _file_findings(self, name: str) -> Iterator[Diagnostic]:
        """Yield what is wrong with a file apart from its rejected objects: faults of parsing, and objects that another file has too."""
        file = self._files.get(name)
        if file is None or file.leaving:
            return
        yield from file.findings
        for key, document in file.loaded.documents.items():
            winner = self._winner(key)
            if winner is None or winner == name or key not in file.loaded.accepted:
                continue
            other = self._files[winner]
            if not other.leaving and self._layer(winner) == self._layer(name) and key in other.documents:
                yield defined_twice(document, key, other.documents[key])


def _changes(key: ObjectKey, told: _Told) -> Iterator[Change]:
    """Yield what says a state from nothing."""
    if told.upsert is not None:
        yield told.upsert
    if told.errors:
        yield Rejected(key, told.errors)


def _mentioned(file: _File) -> Iterable[ObjectKey]:
    return dict.fromkeys((*file.offers, *file.loaded.rejected))
