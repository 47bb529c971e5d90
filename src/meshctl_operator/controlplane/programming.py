"""Which generation of an object is in force on which proxy, as far as the streams of this replica tell.

Followed only where somebody wants to know (``ControlPlane.follow_programming``). An object is in force on a proxy once everything is acknowledged
that the state differs in which brought its change, and all that was owed before: so what it refers to is there as well. Who should have
an object is known from what resources say they come from. Both cost what changed; see ``barriers`` and ``reach``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshctl_operator.apis.changes import Change, Delete, Upsert
from meshctl_operator.base.clock import Clock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.barriers import EVERYTHING, ROUTING_KINDS, Barriers, change_between
from meshctl_operator.controlplane.barriers import Change as StateChange
from meshctl_operator.controlplane.reach import Reach
from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState

if TYPE_CHECKING:
    from meshctl_operator.compiler.resources import CompiledProxy
    from meshctl_operator.controlplane.pipeline import Served
    from meshctl_operator.controlplane.sessions import ProxySession

GRACE: Final = 30.0
"""Seconds for which a proxy without a Pod that lost its stream counts as one that should have what it had."""

_ASKED_FOR: Final = (TypeUrl.CLUSTER, TypeUrl.LISTENER)  # by every Envoy: before it did, a stream that rests has told nothing
_REMEMBERED: Final = 10_000  # rejections

Alive = Callable[[str], bool | None]
"""Whether the Pod of a proxy, given as ``name.namespace``, is ready; None if there is none."""


@dataclass(frozen=True, slots=True)
class _Noted:
    """The last change of an object: the generation in service since then, the revision that has it, and the round in which it came."""

    change: Change
    generation: int | None
    revision: int
    round: int


@dataclass(frozen=True, slots=True)
class _Lost:
    """A proxy whose stream is gone: what it should have held then, and up to which revision it did."""

    compiled: CompiledProxy
    through: int
    since: float


@dataclass(frozen=True, slots=True)
class _Rejected:
    message: str
    revision: int
    objects: tuple[ObjectKey, ...]


class Programming:
    """What has become of every change of a routing object."""

    def __init__(self, clock: Clock, alive: Alive) -> None:
        self._clock = clock
        self._alive = alive
        self._noted: dict[ObjectKey, _Noted] = {}
        self._round = 0
        self._barriers: dict[ProxySession, Barriers] = {}
        self._holders: dict[int, tuple[CompiledProxy, dict[ProxySession, None]]] = {}
        self._lost: dict[str, _Lost] = {}
        self._rejected: dict[tuple[str, str, str], _Rejected] = {}  # by proxy, type and name
        self._accused: dict[ObjectKey, None] = {}
        self._reach = Reach()
        self._compared: dict[tuple[int, int], tuple[ViewState, ViewState, StateChange]] = {}  # the states keep their identities taken
        self.progress: Callable[[], None] = lambda: None
        """Called when there may be something new to tell."""

    # -- changes on their way out -----------------------------------------------------------------------------------------------------

    def applied(self, changes: Iterable[Change], revision: int) -> None:
        """Note changes that the state of a revision has."""
        for change in changes:
            if change.key.kind not in ROUTING_KINDS:
                continue
            if isinstance(change, Delete):
                self._noted.pop(change.key, None)
            else:
                before = self._noted.get(change.key)
                kept = before.generation if before is not None else None
                generation = change.object.meta.generation if isinstance(change, Upsert) else kept
                self._noted[change.key] = _Noted(change, generation, revision, self._round)

    @property
    def rounds(self) -> int:
        """How many rounds have ended: what is found about objects may be different after each."""
        return self._round

    def round_ended(self) -> None:
        """Note that every stream is served, and that what is wrong with the changes so far is known."""
        self._round += 1
        self._compared.clear()
        self.progress()

    def last(self, key: ObjectKey) -> Change | None:
        """Return the change that the present state has of an object, once its round has ended: its findings are known then."""
        noted = self._noted.get(key)
        return noted.change if noted is not None and noted.round < self._round else None

    def served_generation(self, key: ObjectKey) -> int | None:
        """Return the generation of an object that is in service: its last valid one, if any."""
        noted = self._noted.get(key)
        return noted.generation if noted is not None else None

    # -- streams ----------------------------------------------------------------------------------------------------------------------

    def opened(self, session: ProxySession) -> None:
        """Take note of a stream."""
        self._barriers[session] = Barriers(whole_routes=session.protocol == "sotw")
        self._lost.pop(session.proxy_id, None)

        def rested(revision: int) -> None:
            self._rested(session, revision)

        session.rested = rested

    def closed(self, session: ProxySession) -> None:
        """Forget a stream; its proxy is lost unless it has another one."""
        barriers = self._barriers.pop(session)
        session.rested = None
        if session.served is not None:
            self._release(session, session.served)
            if not any(other.proxy_id == session.proxy_id for other in self._barriers):
                self._lost[session.proxy_id] = _Lost(session.served.compiled, barriers.through, self._clock.monotonic())
        for rejected in [found for found in self._rejected if found[0] == session.proxy_id]:
            del self._rejected[rejected]
        self.progress()

    def served(self, session: ProxySession, before: Served | None, served: Served, revision: int) -> None:
        """Note what a stream should hold as of a revision of the pipeline."""
        barriers = self._barriers[session]
        if before is None or before.compiled is not served.compiled:
            if before is not None:
                self._release(session, before)
            self._holders.setdefault(id(served.compiled), (served.compiled, {}))[1][session] = None
        if before is None:
            barriers.owe(EVERYTHING, served.state.revision, revision)
        elif before.state is not served.state:
            barriers.owe(self._between(before.state, served.state), served.state.revision, revision)
        else:
            barriers.looked(revision)

    def _between(self, old: ViewState, new: ViewState) -> StateChange:
        """Return what differs; what many proxies share is compared once."""
        pair = (id(old), id(new))
        known = self._compared.get(pair)
        if known is None:
            known = self._compared[pair] = (old, new, change_between(old, new))
        return known[2]

    def _release(self, session: ProxySession, served: Served) -> None:
        _, sessions = self._holders[id(served.compiled)]
        sessions.pop(session, None)
        if not sessions:
            del self._holders[id(served.compiled)]

    # -- what they say ----------------------------------------------------------------------------------------------------------------

    def acked(self, session: ProxySession, event: AckEvent, held: Collection[str] = ()) -> None:
        """Note an accepted response; of the resources in ``held`` it has the last good version instead of a rejected one."""
        if self._rejected:
            for name in event.changes.keys() - held:
                self._rejected.pop((session.proxy_id, event.type_url.short, name), None)
        if self._barriers[session].answered(event.type_url, event.changes, event.revision):
            self.progress()

    def nacked(
        self, session: ProxySession, event: NackEvent, names: Iterable[str], origins: Callable[[str], tuple[ObjectKey, ...]]
    ) -> None:
        """Note a rejected response: the accused names, and the objects that each comes from. It is an answer for all that is in it."""
        for name in names:
            rejected = _Rejected(event.message.strip(), event.revision, origins(name))
            self._rejected[session.proxy_id, event.type_url.short, name] = rejected
            self._accused.update(dict.fromkeys(rejected.objects))
        while len(self._rejected) > _REMEMBERED:
            del self._rejected[next(iter(self._rejected))]
        self._barriers[session].answered(event.type_url, event.changes, event.revision)
        self.progress()

    def take_accused(self) -> tuple[ObjectKey, ...]:
        """Return the objects that something rejected came from since the last call."""
        accused, self._accused = tuple(self._accused), {}
        return accused

    def _rested(self, session: ProxySession, revision: int) -> None:
        barriers = self._barriers[session]
        barriers.introduced = barriers.introduced or all(map(session.knows, _ASKED_FOR))
        if barriers.rested(revision):
            self.progress()

    # -- what is known ----------------------------------------------------------------------------------------------------------------

    def acknowledgements(self, keys: Collection[ObjectKey]) -> dict[ObjectKey, Acknowledgements]:
        """Return what this replica knows of objects, by the generation that is in its state; those that it has never seen are left out."""
        self._forget_lost()
        wanted = frozenset(key for key in keys if self.last(key) is not None)
        results: dict[int, CompiledProxy] = {number: compiled for number, (compiled, _) in self._holders.items()}
        results |= {id(lost.compiled): lost.compiled for lost in self._lost.values()}
        reached = self._reach.of(results, wanted)
        through = {number: [self._barriers[session].through for session in sessions] for number, (_, sessions) in self._holders.items()}
        names = {number: frozenset(session.proxy_id for session in sessions) for number, (_, sessions) in self._holders.items()}
        leaving = self._leaving(wanted)
        rejections = self._rejections(wanted)
        lost_by_result: dict[int, dict[str, int]] = {}
        for proxy, lost in self._lost.items():
            lost_by_result.setdefault(id(lost.compiled), {})[proxy] = lost.through
        unions: dict[tuple[int, ...], frozenset[str]] = {}
        found = {}
        for key in wanted:
            noted = self._noted[key]
            numbers = tuple(reached.get(key, ()))
            expected = unions.get(numbers)
            if expected is None:
                expected = unions[numbers] = frozenset().union(*(names.get(number, ()) for number in numbers))
            late = {
                session.proxy_id
                for number in numbers
                if number in through and min(through[number]) < noted.revision
                for session in self._holders[number][1]
                if self._barriers[session].through < noted.revision
            }
            lost_now = {proxy: reached_by for number in numbers for proxy, reached_by in lost_by_result.get(number, {}).items()}
            late |= {proxy for proxy, reached_by in lost_now.items() if reached_by < noted.revision}
            late |= leaving.get(key, set())
            everyone = expected | leaving.get(key, set()) | lost_now.keys()
            found[key] = Acknowledgements(
                generation=noted.generation or 0,
                expected=everyone,
                acknowledged=everyone - late if late else everyone,
                lost=frozenset(lost_now),
                rejections=tuple(sorted(rejections.get(key, ()))),
            )
        return found

    def _leaving(self, wanted: frozenset[ObjectKey]) -> dict[ObjectKey, set[str]]:
        """Return the proxies that have not taken up yet what an object was changed to, or have something of it no more, by object."""
        found: dict[ObjectKey, set[str]] = {}
        for session, barriers in self._barriers.items():
            for key in barriers.objects & wanted:
                found.setdefault(key, set()).add(session.proxy_id)
        return found

    def _rejections(self, wanted: frozenset[ObjectKey]) -> dict[ObjectKey, list[Rejection]]:
        """Return what is rejected of the present generation of objects."""
        found: dict[ObjectKey, list[Rejection]] = {}
        for (proxy, kind, name), rejected in self._rejected.items():
            for key in rejected.objects:
                if key in wanted and rejected.revision >= self._noted[key].revision:
                    found.setdefault(key, []).append(Rejection(proxy, f"{kind} {name}", rejected.message))
        return found

    def _forget_lost(self) -> None:
        """Forget lost proxies that nobody waits for any more: their Pod is gone or not ready, or they have none and their grace has ended."""
        now = self._clock.monotonic()
        for proxy, lost in tuple(self._lost.items()):
            alive = self._alive(proxy)
            if alive is False or (alive is None and now - lost.since >= GRACE):
                del self._lost[proxy]
