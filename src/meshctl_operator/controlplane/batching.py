"""Changes gathered into batches: last write per key wins, and the window opens with the first change.

Pure state: times come in as arguments, the waiting is done by ``plane``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.changes import Change, ChangeSet, Rejected
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.settings import Windows

ENDPOINT_KINDS: Final = frozenset({Kind.ENDPOINT_SLICE, Kind.ENDPOINTS, Kind.POD})
"""Kinds that churn and feed endpoints: they wait for nobody."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Coalesced changes by source, in the order in which their keys first came. ``since`` is when the first of them came."""

    changes: tuple[tuple[str, Change], ...]
    since: float


class Inbox:
    """What was submitted and not yet taken. Bounded by the number of keys, since a later change of a key replaces an earlier one."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._pending: dict[tuple[str, ObjectKey], list[Change]] = {}
        self._first = 0.0
        self._last = 0.0
        self._only_endpoints = True

    def add(self, changes: ChangeSet, now: float) -> None:
        """Take a set of changes at a time."""
        if not changes.changes:
            return
        if not self._pending:
            self._first, self._only_endpoints = now, True
        self._last = now
        for change in changes.changes:
            self._only_endpoints &= change.key.kind in ENDPOINT_KINDS
            held = self._pending.setdefault((changes.source, change.key), [])
            if not isinstance(change, Rejected):  # the new state makes everything before it void
                held.clear()
            elif held and isinstance(held[-1], Rejected):
                held.pop()
            held.append(change)

    @property
    def due(self) -> float | None:
        """When the batch should be taken; None while there is nothing."""
        if not self._pending:
            return None
        quiet = self._windows.endpoint_quiet if self._only_endpoints else self._windows.config_quiet
        return min(self._last + quiet, self._first + self._windows.cap)

    def take(self) -> Batch:
        """Return what is pending and start anew."""
        changes = tuple((source, change) for (source, _), held in self._pending.items() for change in held)
        self._pending = {}
        return Batch(changes, self._first)
