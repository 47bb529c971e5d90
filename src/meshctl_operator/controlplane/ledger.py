"""Who said what: merges the sources into one set of objects, and keeps the findings about each object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.base.diagnostics import Diagnostic, has_errors
from meshctl_operator.base.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class Merged:
    """The outcome of some changes: what the registry should apply, and the objects that were rejected, in key order."""

    changes: tuple[Upsert | Delete, ...]
    rejected: tuple[ObjectKey, ...]


class Ledger:
    """The objects of each source. Where two sources have one object, that of the earlier source counts."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._rank = {name: number for number, name in enumerate(sources)}
        self._held: dict[ObjectKey, dict[str, Upsert]] = {}
        self._findings: dict[tuple[str, ObjectKey], tuple[Diagnostic, ...]] = {}

    def apply(self, changes: Iterable[tuple[str, Change]]) -> Merged:
        """Take changes, each with the name of its source."""
        touched: dict[ObjectKey, Upsert | None] = {}
        rejected: set[ObjectKey] = set()
        for source, change in changes:
            touched.setdefault(change.key, self.effective(change.key))
            match change:
                case Upsert():
                    self._held.setdefault(change.key, {})[source] = change
                    self._note(source, change.key, change.diagnostics)
                case Delete():
                    self._drop(source, change.key)
                    self._note(source, change.key, ())
                case Rejected():
                    self._note(source, change.key, change.diagnostics)
                    if has_errors(change.diagnostics):
                        rejected.add(change.key)
        out: list[Upsert | Delete] = []
        for key, before in touched.items():
            now = self.effective(key)
            if now is not None:
                if now is not before:
                    out.append(now)
            elif before is not None:
                out.append(Delete(key))
        return Merged(tuple(out), tuple(sorted(rejected)))

    def effective(self, key: ObjectKey) -> Upsert | None:
        """Return the object that counts."""
        held = self._held.get(key)
        return held[min(held, key=lambda source: self._rank.get(source, len(self._rank)))] if held else None

    def all_effective(self) -> tuple[Upsert, ...]:
        """Return every object that counts, in key order."""
        return tuple(upsert for key in sorted(self._held) if (upsert := self.effective(key)) is not None)

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what the sources found wrong."""
        return tuple(finding for found in self._findings.values() for finding in found)

    def _drop(self, source: str, key: ObjectKey) -> None:
        held = self._held.get(key)
        if held is not None:
            held.pop(source, None)
            if not held:
                del self._held[key]

    def _note(self, source: str, key: ObjectKey, findings: tuple[Diagnostic, ...]) -> None:
        if findings:
            self._findings[source, key] = findings
        else:
            self._findings.pop((source, key), None)
