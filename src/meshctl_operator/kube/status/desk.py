"""What every routing object of ours says in its status, and what it should say. Lives on the loop; asks nobody, writes nothing.

An object is looked at when something about it may be new: its document, what is found about it, or what proxies acknowledge as long as it is
not programmed. Until its present spec is compiled and its findings are known nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from meshctl_operator.apis.changes import Change, Rejected, Upsert
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.programming import Programming
from meshctl_operator.kube.bridge import Raw
from meshctl_operator.kube.revisions import is_ours
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.status.acknowledgements import Acknowledgements
from meshctl_operator.status.conditions import Conditions, ConditionType, Reason, find, stored_conditions
from meshctl_operator.status.merging import merged
from meshctl_operator.status.patches import Stored, is_current
from meshctl_operator.status.planning import WritePlanner
from meshctl_operator.status.reduction import Subject, reduce

ROUTING_KINDS: Final = frozenset(str(info.kind) for info in KINDS.values() if info.is_routing)

PIECE: Final = 32
"""Objects that are looked at at a time: about a millisecond."""

Findings = tuple[Diagnostic, ...]
Others = Callable[[ObjectKey], Iterable[Acknowledgements | None]]
"""What each other replica says of an object; None for one that has not said anything."""


@dataclass(slots=True)
class _Entry:
    """One object: as it is stored, what is compiled from it, and what was concluded from what."""

    stored: Stored
    generation: int
    conditions: Conditions
    change: Change | None = None
    basis: tuple[object, ...] = ()


class StatusDesk:
    """All objects that we give a status."""

    def __init__(self, settings: KubeSettings, programming: Programming, planner: WritePlanner) -> None:
        self._settings = settings
        self._programming = programming
        self._planner = planner
        self._entries: dict[ObjectKey, _Entry] = {}
        self._findings: dict[ObjectKey, Findings] = {}
        self._open: dict[ObjectKey, None] = {}
        self.wake: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def open(self) -> tuple[ObjectKey, ...]:
        """The objects about which something may become known."""
        return tuple(self._open)

    # -- what is said -----------------------------------------------------------------------------------------------------------------

    def told(self, key: ObjectKey, raw: Raw | None, changes: tuple[Change, ...]) -> None:
        """Take a document of the source (``kube.source.Observer``)."""
        if key.kind not in ROUTING_KINDS:
            return
        if raw is None or not is_ours(raw["metadata"], self._settings):
            self._forget(key)
            return
        stored, generation = stored_from(key, raw), int(raw["metadata"].get("generation", 0))
        entry = self._entries.get(key)
        if entry is None or entry.stored.uid != stored.uid:
            if entry is not None:
                self._forget(key)
            entry = self._entries[key] = _Entry(stored, generation, stored_conditions(stored.status))
        elif _is_older(stored, entry.stored):
            entry.generation = max(entry.generation, generation)
        else:
            entry.stored, entry.generation = stored, generation
            entry.conditions = stored_conditions(stored.status)
        if changes:
            entry.change = changes[-1]
        self._reopen(key)

    def written(self, key: ObjectKey, stored: Stored) -> Conditions:
        """Note what an API server answered to a write or a read: it is newer than what the watch has told. Returns our conditions."""
        conditions = stored_conditions(stored.status)
        entry = self._entries.get(key)
        if entry is not None and entry.stored.uid == stored.uid and not _is_older(stored, entry.stored):
            entry.stored, entry.conditions = stored, conditions
            entry.basis = ()
            self._reopen(key)
        return conditions

    def stored(self, key: ObjectKey) -> Stored | None:
        """Return an object as it was read last; None if it is gone."""
        entry = self._entries.get(key)
        return entry.stored if entry is not None else None

    def found(self, findings: Iterable[Diagnostic]) -> None:
        """Take all findings that hold now."""
        grouped: dict[ObjectKey, list[Diagnostic]] = {}
        for finding in findings:
            if finding.subject.kind in ROUTING_KINDS:
                grouped.setdefault(finding.subject, []).append(finding)
        now = {key: tuple(found) for key, found in grouped.items()}
        for key in now.keys() | self._findings.keys():
            if now.get(key) != self._findings.get(key):
                self._reopen(key)
        self._findings = now

    def reopen_all(self) -> None:
        """Look at every object again, as after the replicas were others, or when it is for us to write from now on."""
        for key, entry in self._entries.items():
            entry.basis = ()
            self._open[key] = None
        self.wake()

    def _reopen(self, key: ObjectKey) -> None:
        if key in self._entries:
            self._open[key] = None
            self.wake()

    def _forget(self, key: ObjectKey) -> None:
        self._entries.pop(key, None)
        self._open.pop(key, None)
        self._planner.forget(key)

    # -- what follows -----------------------------------------------------------------------------------------------------------------

    def acknowledgements(self, keys: Collection[ObjectKey]) -> dict[ObjectKey, Acknowledgements]:
        """Return what this replica knows of objects, each by the generation that it has, as far as that is compiled."""
        ready = {
            key: entry
            for key in keys
            if (entry := self._entries.get(key)) is not None and entry.change is not None and self._programming.last(key) is entry.change
        }
        known = self._programming.acknowledgements(ready)
        found = {}
        for key, said in known.items():
            entry = ready[key]
            match entry.change:
                case Upsert():  # the generation that was compiled, or one that compiles to the same
                    found[key] = replace(said, generation=entry.generation) if said.generation != entry.generation else said
                case _:
                    found[key] = said
        return found

    def conclude(self, now: float, others: Others) -> Iterator[None]:
        """Look at all open objects, some at each step, and plan the writes that follow. ``now`` is the planner's time."""
        self._open.update(dict.fromkeys(key for key in self._programming.take_accused() if key in self._entries))
        known = self.acknowledgements(self.open)
        for number, (key, said) in enumerate(known.items()):
            if number % PIECE == 0:
                yield
            entry = self._entries.get(key)
            if entry is None or self._programming.last(key) is not entry.change:
                continue
            together = merged(said, others(key))
            findings = self._findings.get(key, ())
            basis = (together, findings, entry.conditions, entry.generation)
            if basis == entry.basis:
                continue
            entry.basis = basis
            in_service = self._programming.served_generation(key) if isinstance(entry.change, Rejected) else None
            wanted = reduce(Subject(key, entry.generation, entry.conditions, in_service), findings, together)
            self._planner.want(key, wanted, entry.conditions, now)
            if _is_done(entry, wanted):
                self._open.pop(key, None)


def _is_done(entry: _Entry, wanted: Conditions) -> bool:
    """Tell whether the status is as it should be, and nothing that proxies acknowledge can change it; a rejection still can."""
    programmed = find(wanted, ConditionType.PROGRAMMED)
    final = programmed is not None and (programmed.holds or programmed.reason == Reason.INVALID)
    return final and is_current(entry.conditions, wanted)


def stored_from(key: ObjectKey, raw: Raw) -> Stored:
    """Return a document of the API server as an object that was read."""
    meta, status = raw["metadata"], raw.get("status")
    info = KINDS[Kind(key.kind)]
    return Stored(
        str(raw.get("apiVersion") or f"{info.group}/{info.versions[0]}"),
        str(info.kind),
        key.namespace,
        key.name,
        str(meta.get("uid", "")),
        str(meta.get("resourceVersion", "")),
        status if isinstance(status, Mapping) else None,
    )


def _is_older(one: Stored, other: Stored) -> bool:
    """Tell whether one state of an object is older than another. Versions of one object grow; what is no number is taken for new."""
    mine, theirs = one.resource_version, other.resource_version
    return mine.isdigit() and theirs.isdigit() and int(mine) < int(theirs)
