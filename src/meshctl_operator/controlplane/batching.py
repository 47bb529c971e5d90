"""Changes gathered into batches: last write per key wins, and the window opens with the first change.

Endpoints do not wait: the first change of a quiet time is compiled at once (leading edge). Config waits for some milliseconds of quiet, so
that the files of one commit make one state, but never longer than a cap. Only while streams are behind with what was sent already, both
wait longer (``pacing``). Pure state: times come in as arguments, the waiting is done by ``plane``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.apis.changes import Change, ChangeSet, Rejected, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.settings import Windows

ENDPOINT_KINDS: Final = frozenset({Kind.ENDPOINT_SLICE, Kind.ENDPOINTS, Kind.POD, Kind.WORKLOAD_ENTRY})
"""Kinds that churn and feed endpoints: they wait for nobody."""

_ENDPOINTS_FIELD: Final = "endpoints"  # of a ServiceEntry

Held = Callable[[ObjectKey], Upsert | None]
"""The object that counts at present under a key."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Coalesced changes by source, in the order in which their keys first came.

    ``since`` is when the first of them came, ``only_endpoints`` tells whether nothing but endpoints changed.
    """

    changes: tuple[tuple[str, Change], ...]
    since: float
    only_endpoints: bool = False


class Inbox:
    """What was submitted and not yet taken. Bounded by the number of keys, since a later change of a key replaces an earlier one."""

    def __init__(self, windows: Windows, held: Held = lambda _: None) -> None:
        self._windows = windows
        self._held = held
        self._pending: dict[tuple[str, ObjectKey], list[Change]] = {}
        self._first = 0.0
        self._last = 0.0
        self._only_endpoints = True

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, changes: ChangeSet, now: float) -> None:
        """Take a set of changes at a time."""
        if not changes.changes:
            return
        if not self._pending:
            self._first, self._only_endpoints = now, True
        self._last = now
        for change in changes.changes:
            self._only_endpoints = self._only_endpoints and is_endpoint_change(change, self._held)
            held = self._pending.setdefault((changes.source, change.key), [])
            if not isinstance(change, Rejected):  # the new state makes everything before it void
                held.clear()
            elif held and isinstance(held[-1], Rejected):
                held.pop()
            held.append(change)

    def due(self, earliest: float = 0.0) -> float | None:
        """Return when the batch should be taken; None while there is nothing.

        Args:
            earliest: when the streams can do with more (``Pace.earliest``). A batch waits for it, but not longer than
                ``Windows.behind_cap`` after its first change.
        """
        if not self._pending:
            return None
        quiet = self._windows.endpoint_quiet if self._only_endpoints else self._windows.config_quiet
        due = min(self._last + quiet, self._first + self._windows.cap)
        return max(due, min(earliest, self._first + self._windows.behind_cap))

    def take(self) -> Batch:
        """Return what is pending and start anew."""
        changes = tuple((source, change) for (source, _), held in self._pending.items() for change in held)
        self._pending = {}
        return Batch(changes, self._first, self._only_endpoints)


def is_endpoint_change(change: Change, held: Held) -> bool:
    """Tell whether a change moves endpoints only: by its kind, or because nothing but the endpoints of a ServiceEntry differs."""
    if change.key.kind in ENDPOINT_KINDS:
        return True
    if not isinstance(change, Upsert) or change.key.kind != Kind.SERVICE_ENTRY:
        return False
    before = held(change.key)
    return before is not None and _same_but_endpoints(before.object, change.object)


def _same_but_endpoints(old: ConfigObject[Any], new: ConfigObject[Any]) -> bool:
    if old.meta.labels != new.meta.labels:
        return False
    fields = type(new.spec).model_fields
    return all(getattr(old.spec, name) == getattr(new.spec, name) for name in fields if name != _ENDPOINTS_FIELD)
