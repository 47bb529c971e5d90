"""What one stream has not acknowledged yet, change by change.

Each time that a stream gets another state, a barrier stands for what differs: a set of names, each of which goes when the client accepts or
rejects it. What was changed before the first open barrier is in force. So an answer costs what is in it, whatever the client holds, and a
resource that nobody waits for holds up nothing. Where too much differs to be remembered by name, the barrier falls when nothing is left to
say: that is exact as well, but on a stream that never rests it comes late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import KINDS
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.resources import CompiledResource
from meshctl_operator.xds.differences import compare
from meshctl_operator.xds.resources import ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState

MOST_NAMES: Final = 256
"""Names that a barrier remembers; of more it is not told apart which of them are missing."""

MOST_BARRIERS: Final = 64
"""Barriers of a stream; of more the oldest two become one, so that a stuck client cannot fill the memory."""

ROUTING_KINDS: Final = frozenset(str(info.kind) for info in KINDS.values() if info.is_routing)

_UNTOLD: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.ROUTE, TypeUrl.SECRET})
"""Removals of these are late or never told, and nothing leads there any more when they are."""

Name = tuple[TypeUrl, ResourceName]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two states of a stream: names (None: too many), and the routing objects that it comes from."""

    names: frozenset[Name] | None
    objects: frozenset[ObjectKey]


EVERYTHING: Final = Change(None, frozenset())
"""What a stream is told first."""


def change_between(old: ViewState, new: ViewState) -> Change:
    """Return what a client has to take up so that the new state is in force instead of the old one; costs what the two do not share."""
    names: list[Name] = []
    objects: set[ObjectKey] = set()
    for type_url in TypeUrl:
        before, now = old.of(type_url), new.of(type_url)
        if before is now:
            continue
        between = compare(before, now)
        names += [(type_url, name) for name in between.changed]
        for name in (*between.changed, *between.removed):
            objects.update(routing_sources(before.get(name)))
            objects.update(routing_sources(now.get(name)))
        if type_url is TypeUrl.VIRTUAL_HOST:  # those of a route configuration that is gone are never told
            routes = new.of(TypeUrl.ROUTE)
            names += [(type_url, name) for name in between.removed if name.partition("/")[0] in routes]
        elif type_url not in _UNTOLD:
            names += [(type_url, name) for name in between.removed]
    return Change(frozenset(names) if len(names) <= MOST_NAMES else None, frozenset(objects))


def routing_sources(resource: XdsResource | None) -> Iterable[ObjectKey]:
    """Yield the routing objects that a resource was computed from, if it says so."""
    if isinstance(resource, CompiledResource):
        for part in resource.sources:
            for key in part:
                if key.kind in ROUTING_KINDS:
                    yield key


@dataclass(slots=True)
class _Barrier:
    """Names that are owed of the state with a revision, which brought the changes of all revisions from ``floor`` on."""

    floor: int
    revision: int
    names: set[Name] | None
    objects: frozenset[ObjectKey]


class Barriers:
    """The open barriers of one stream, oldest first. Revisions only grow: those of the pipeline, and those of the states of a stream."""

    __slots__ = ("_open", "_seen", "introduced", "whole_routes")

    def __init__(self, *, whole_routes: bool) -> None:
        """Start without a state; ``whole_routes``: the client gets route configurations with their virtual hosts."""
        self.whole_routes = whole_routes
        self.introduced = False  # the client has asked for clusters and listeners
        self._open: deque[_Barrier] = deque()
        self._seen = -1

    @property
    def through(self) -> int:
        """The newest revision of the pipeline all of whose changes the client has taken up, as far as they concern it."""
        return self._open[0].floor - 1 if self._open else self._seen

    @property
    def objects(self) -> frozenset[ObjectKey]:
        """The routing objects that something owed comes from."""
        return frozenset().union(*(barrier.objects for barrier in self._open))

    def looked(self, revision: int) -> None:
        """Note that the state of the stream is that of this revision of the pipeline."""
        self._seen = max(self._seen, revision)

    def owe(self, change: Change, state: int, revision: int) -> None:
        """Note that the stream has another state, with the revision ``state``, as of this revision of the pipeline."""
        if change.names is None or change.names:
            names = None if change.names is None else set(self._told(change.names))
            self._open.append(_Barrier(self._seen + 1, state, names, change.objects))
            if len(self._open) > MOST_BARRIERS:
                self._merge()
        self.looked(revision)

    def _told(self, names: Iterable[Name]) -> Iterable[Name]:
        if not self.whole_routes:
            return names
        hosts = TypeUrl.VIRTUAL_HOST
        return ((TypeUrl.ROUTE, name.partition("/")[0]) if type_url is hosts else (type_url, name) for type_url, name in names)

    def _merge(self) -> None:
        old, new = self._open.popleft(), self._open.popleft()
        names = None if old.names is None or new.names is None else old.names | new.names
        if names is not None and len(names) > MOST_NAMES:
            names = None
        self._open.appendleft(_Barrier(old.floor, new.revision, names, old.objects | new.objects))

    def answered(self, type_url: TypeUrl, names: Iterable[ResourceName], revision: int) -> bool:
        """Note that a response was answered which was made of the state with a revision; returns whether anything became in force."""
        if not self._open or self._open[0].revision > revision:
            return False
        found = [(type_url, name) for name in names]
        for barrier in self._open:
            if barrier.revision > revision:
                break
            if barrier.names is not None:
                barrier.names.difference_update(found)
        return self._fall()

    def rested(self, revision: int) -> bool:
        """Note that nothing is left to say of the state with a revision, and all is answered; returns whether anything became in force."""
        if not self.introduced:
            return False
        for barrier in self._open:
            if barrier.revision <= revision:
                barrier.names = set()
        return self._fall()

    def _fall(self) -> bool:
        fallen = False
        while self._open and self._open[0].names is not None and not self._open[0].names:
            self._open.popleft()
            fallen = True
        return fallen
