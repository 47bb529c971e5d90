"""Brings together the quarantine, the open streams, the state folder and the metrics: told by the feedback, it has streams look again."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.base.clock import Clock
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY
from meshctl_operator.controlplane.nacks import Origins, accused
from meshctl_operator.controlplane.quarantine_store import QuarantineStore
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.quarantine import Held, Quarantine, Rejection
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.route_pieces import pieces
from meshctl_operator.xds.route_search import RouteSearch
from meshctl_operator.xds.state import ViewState
from meshctl_operator.xds.virtual_hosts import is_shell, route_of

LONGEST_MESSAGE: Final = 2000
"""Characters that are kept of what a client says."""

MOST_UNPROVEN: Final = 64
"""Rejections that are kept of a client that has not accepted anything yet."""

SAVE_EVERY: Final = 0.5
"""Seconds between two times that the file is written."""

log = logging.getLogger("meshctl.controlplane")


class QuarantineBoard:
    """What is held, for one control plane.

    Args:
        state_folder: where it survives a restart; nowhere if None.
        telemetry: where it is counted.
        clock: times the waits of what is rejected again and again.
        sessions: the open streams.
        lookup: the object that counts under a key.
        origins: where the resources of a type that a stream is served come from.
    """

    def __init__(
        self,
        state_folder: Path | None,
        telemetry: Telemetry,
        clock: Clock,
        sessions: Callable[[], Iterable[ProxySession]],
        lookup: Callable[[ObjectKey], Upsert | None],
        origins: Callable[[ProxySession, TypeUrl], Origins],
    ) -> None:
        self.quarantine = Quarantine()
        self._store = QuarantineStore(state_folder) if state_folder is not None else None
        self._telemetry = telemetry
        self._clock = clock
        self._sessions = sessions
        self._lookup = lookup
        self._origins = origins
        self._retry: asyncio.TimerHandle | None = None
        self._saving: asyncio.TimerHandle | None = None
        self._findings: tuple[int, tuple[Diagnostic, ...]] = (0, ())
        if self._store is not None:
            self.quarantine.restore(self._store.load())
            self._count()

    # -- what proxies say -------------------------------------------------------------------------------------------------------------

    def nacked(self, session: ProxySession, event: NackEvent) -> tuple[ResourceName, ...]:
        """Hold what a proxy rejected, and serve it and its like the last good versions; returns the resources that are held."""
        before = self.quarantine.epoch
        names = accused(event)
        rejected = {name: version for name in names if (version := event.changes[name]) is not None}
        good = session.accepted()
        if all(_is_good(good, event.type_url, name, version) for name, version in rejected.items()):
            self._disbelieve(session)
        elif session.believed and not session.proven:
            session.unproven = (*session.unproven, event)[-MOST_UNPROVEN:]
        elif session.believed:
            for name, version in rejected.items():
                self._rejected(session, Rejection(session.kind, event.type_url, name, version), event.message, good)
        self._changed(before)
        places = [Rejection(session.kind, event.type_url, name, version) for name, version in rejected.items()]
        return tuple(place.name for place in places if self.quarantine.find(place) is not None)

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Believe a proxy that accepts something, and trust what it accepts."""
        if not session.proven:
            session.proven = True
            unproven, session.unproven = session.unproven, ()
            for rejection in unproven:
                self.nacked(session, rejection)
        if session.searches and event.type_url is TypeUrl.ROUTE:
            self._search_on(session, event)
        if not self.quarantine:
            return
        before = self.quarantine.epoch
        for held in self.quarantine.accept(session.kind, event.type_url, event.changes):
            self._log("released", held, reason=f"{session.proxy_id} accepts it")
        self._changed(before)

    def names(self, session: ProxySession, type_url: TypeUrl) -> frozenset[ResourceName]:
        """Return the resources of a type that are held for proxies like this one, wholly or in part."""
        return self.quarantine.names(session.kind, type_url)

    def _rejected(self, session: ProxySession, place: Rejection, message: str, good: ViewState) -> None:
        if place.type_url is TypeUrl.ROUTE and not is_shell(place.version) and self._isolated(session, place, message, good):
            return
        self._hold(session, place, message, good)

    def _hold(self, session: ProxySession, place: Rejection, message: str, good: ViewState) -> bool:
        """Hold a version unless a client of the kind accepts it; returns whether it is held."""
        if self.quarantine.find(place) is None and self._accepted_elsewhere(session, place):
            self.quarantine.trust(place)
            return False
        objects = self._origins(session, place.type_url)(place.name)
        if not objects and place.type_url is TypeUrl.VIRTUAL_HOST:  # in a route configuration that is never split
            objects = self._origins(session, TypeUrl.ROUTE)(route_of(place.name))
        entry = Held(place, message.strip()[:LONGEST_MESSAGE], tuple(map(str, objects)), self._digest(objects))
        held = self.quarantine.reject(session.serial, entry, good, self._clock.monotonic())
        if held is not None:
            self._log("quarantined", held, logging.ERROR, proxy=session.proxy_id, detail=held.message, hint=way_out(held))
        return self.quarantine.find(place) is not None

    def _accepted_elsewhere(self, session: ProxySession, place: Rejection) -> bool:
        """Tell whether another client of the kind has accepted a version."""
        seen: set[int] = set()
        for other in self._sessions():
            if other is session or other.kind != place.kind:
                continue
            accepted = other.accepted().of(place.type_url)
            if id(accepted) not in seen:
                seen.add(id(accepted))
                resource = accepted.get(place.name)
                if resource is not None and resource.version == place.version:
                    return True
        return False

    def _disbelieve(self, session: ProxySession) -> None:
        """Do without the word of a proxy that rejects what it accepted before, or a response with nothing in it."""
        if not session.believed:
            return
        session.believed = False
        session.searches = {}
        log.warning("not believed", extra={"proxy": session.proxy_id, "reason": "it rejects what it accepted before"})
        for held in self.quarantine.disbelieve(session.serial):
            self._log("released", held, reason=f"{session.proxy_id} rejects everything")

    # -- whole route configurations ---------------------------------------------------------------------------------------------------

    def _isolated(self, session: ProxySession, place: Rejection, message: str, good: ViewState) -> bool:
        """Find out which virtual host a route configuration is rejected for; returns whether there is hope."""
        search = session.searches.get(place.name)
        if search is None:
            target = session.should_hold(TypeUrl.ROUTE, place.name)
            if target is None or target.version != place.version:
                return target is not None  # it is served another one by now
            search = RouteSearch(good.of(TypeUrl.ROUTE).get(place.name), target)
        found = search.rejected(place.version)
        session.searches = {**session.searches, place.name: search}
        if found is not None:
            if found.piece is None:
                self._end_search(session, place.name)
                return False
            held = Rejection(place.kind, TypeUrl.VIRTUAL_HOST, found.piece.name, found.piece.version)
            if not self._hold(session, held, message, _with_pieces(good, place.name)):
                self._end_search(session, place.name)
        session.look_again()
        return True

    def _search_on(self, session: ProxySession, event: AckEvent) -> None:
        for name, version in event.changes.items():
            search = session.searches.get(name)
            if search is not None and version is not None:
                search.accepted(version)
                if search.over:
                    self._end_search(session, name)
                session.look_again()

    @staticmethod
    def _end_search(session: ProxySession, name: ResourceName) -> None:
        session.searches = {other: search for other, search in session.searches.items() if other != name}

    # -- what changes -----------------------------------------------------------------------------------------------------------------

    def objects_changed(self, keys: Collection[ObjectKey]) -> tuple[Held, ...]:
        """Try again what came from objects that changed; returns it."""
        if not self.quarantine:
            return ()
        return self._released(self.quarantine.release({str(key) for key in keys}, self._clock.monotonic()))

    def synced(self) -> tuple[Held, ...]:
        """Try again what was held before a restart if its objects have changed since; returns it."""
        changed = {
            text for held in self.quarantine.entries() for text in held.objects if self._digest(map(_key, held.objects)) != held.digest
        }
        if not changed:
            return ()
        return self._released(self.quarantine.release(changed, self._clock.monotonic()))

    def _released(self, released: tuple[Held, ...]) -> tuple[Held, ...]:
        """Have streams look again because these may be served again."""
        for held in released:
            self._log("released", held, reason="an object has changed")
        if released:
            self._changed(-1)
        due = self.quarantine.next_due()
        if due is not None and self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(max(0.0, due - self._clock.monotonic()), self._try_again)
        self.quarantine.forget(session.served.state for session in self._sessions() if session.served is not None)
        return released

    def _try_again(self) -> None:
        self._retry = None
        self._released(self.quarantine.due(self._clock.monotonic()))

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return, for each object, what is held that came from it; the very tuple returned before if that has not changed."""
        if self._findings[0] != self.quarantine.epoch:
            self._findings = (self.quarantine.epoch, tuple(finding for held in self.quarantine.entries() for finding in _findings(held)))
        return self._findings[1]

    def close(self) -> None:
        """Write what is not written yet."""
        if self._retry is not None:
            self._retry.cancel()
        if self._saving is not None:
            self._saving.cancel()
            self._save()

    def _changed(self, before: int) -> None:
        if self.quarantine.epoch == before:
            return
        self._count()
        if self._store is not None and self._saving is None:
            self._save()
            self._saving = asyncio.get_running_loop().call_later(SAVE_EVERY, self._save_again, self.quarantine.epoch)
        for session in tuple(self._sessions()):
            session.look_again()

    def _save_again(self, written: int) -> None:
        self._saving = None
        if self.quarantine.epoch != written:
            self._save()

    def _save(self) -> None:
        if self._store is not None:
            self._store.save(self.quarantine.entries())

    def _count(self) -> None:
        counts: dict[str, int] = {}
        for held in self.quarantine.entries():
            kind = held.rejection.type_url.short
            counts[kind] = counts.get(kind, 0) + 1
        for kind in {*counts, *(kind for kind, _ in self._telemetry.quarantined.items())}:
            self._telemetry.quarantined.of(kind).set(counts.get(kind, 0))

    def _digest(self, keys: Iterable[ObjectKey]) -> str:
        """Return a hash of the contents of objects: secrets count without theirs."""
        digest = hashlib.sha256()
        for key in keys:
            held = self._lookup(key)
            digest.update(f"{key} {held.object.model_dump_json() if held is not None else ''}\n".encode())
        return digest.hexdigest()[:16]

    @staticmethod
    def _log(event: str, held: Held, level: int = logging.INFO, **facts: object) -> None:
        place = held.rejection
        told = {"type": place.type_url.short, "resource": place.name, "version": place.version, "envoy": place.kind.version}
        good = held.instead.version if held.instead is not None else None
        log.log(level, event, extra={**told, "objects": list(held.objects), "last_good": good, **facts})


def way_out(held: Held) -> str:
    """Return what is served meanwhile, and what to do."""
    served = "the last good version is served" if held.instead is not None else "there is no good version, so it is left out"
    return f"{served} until one of its objects changes"


def _findings(held: Held) -> Iterable[Diagnostic]:
    place = held.rejection
    who = f"Envoy {place.kind.version}" if place.kind.version else "a proxy"
    message = f"{place.type_url.short} {place.name} is rejected by {who}: {held.message}"
    return (REJECTED_BY_PROXY.error(_key(text), "", message, hint=way_out(held)) for text in held.objects)


def _key(text: str) -> ObjectKey:
    """Return the key that an object is named by (``ObjectKey.__str__``)."""
    kind, *place, name = text.split("/")
    return ObjectKey(kind, place[0] if place else "", name)


def _with_pieces(good: ViewState, route: ResourceName) -> ViewState:
    """Return a state with the virtual hosts of a whole route configuration as resources."""
    whole = good.of(TypeUrl.ROUTE).get(route)
    if whole is None:
        return good
    return ViewState(good.revision, {**good.resources, TypeUrl.VIRTUAL_HOST: ShardedMap.of(pieces(whole))})


def _is_good(good: ViewState, type_url: TypeUrl, name: ResourceName, version: ContentHash) -> bool:
    resource: XdsResource | None = good.of(type_url).get(name)
    return resource is not None and resource.version == version
