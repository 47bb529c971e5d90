"""What comes back from the proxies: counted, timed, told, and taken into account by the pace of batches."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.convergence import Convergence, Wave
from meshctl_operator.controlplane.events import Acked, EventBus, Nacked
from meshctl_operator.controlplane.nacks import NackLog, Origins
from meshctl_operator.controlplane.pacing import Pace
from meshctl_operator.controlplane.programming import Programming
from meshctl_operator.controlplane.quarantine_board import QuarantineBoard
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.resources import TypeUrl

log = logging.getLogger("meshctl.controlplane")

REVISIONS_TIMED: Final = 256
"""Revisions whose time of arrival is remembered, to time their answers."""


class Answers:
    """The feedback of all open streams."""

    def __init__(
        self, telemetry: Telemetry, events: EventBus, clock: Clock, caught_up: Callable[[], None], held: QuarantineBoard | None = None
    ) -> None:
        """Start without streams.

        Args:
            telemetry: where it is counted.
            events: where it is told.
            clock: what it is timed by.
            caught_up: called when streams that were behind can do with more.
            held: what is held back of what proxies reject; nothing if None.
        """
        self.pace = Pace()
        self.nacks = NackLog()
        self.programming: Programming | None = None  # of the objects, where somebody wants to know
        self._telemetry = telemetry
        self._events = events
        self._clock = clock
        self._caught_up = caught_up
        self._held = held
        self._convergence = Convergence(telemetry.proxy_convergence, telemetry.convergence)
        self._proxies: Counter[str] = Counter()
        self._since: dict[int, float] = {}

    # -- changes on their way out -----------------------------------------------------------------------------------------------------

    def arrived(self, revision: int, since: float) -> None:
        """Note when the changes of a revision came in."""
        self._since[revision] = since
        while len(self._since) > REVISIONS_TIMED:
            del self._since[next(iter(self._since))]

    def reached(self, session: ProxySession, revision: int, wave: Wave | None) -> None:
        """Note that a stream has a new state: because of a change, or, without a wave, because it connected."""
        self.pace.owes(session, self._clock.monotonic())
        if wave is not None:
            self._convergence.reached(session, revision, wave)

    def seal(self, wave: Wave) -> None:
        """Note that every stream that a change reaches is known."""
        self._convergence.seal(wave)

    # -- streams ----------------------------------------------------------------------------------------------------------------------

    def opened(self, session: ProxySession) -> None:
        """Take note of a stream."""
        self._proxies[session.proxy_id] += 1
        self._convergence.opened(session)
        if self.programming is not None:
            self.programming.opened(session)
        self.pace.opened()

    def closed(self, session: ProxySession) -> None:
        """Forget a stream, and with the last one of a proxy what that rejected."""
        self._convergence.closed(session)
        if self.programming is not None:
            self.programming.closed(session)
        if self.pace.closed(session, self._clock.monotonic()):
            self._caught_up()
        self._proxies[session.proxy_id] -= 1
        if not self._proxies[session.proxy_id]:
            del self._proxies[session.proxy_id]
            self.nacks.forget(session.proxy_id)

    def pushed(self, session: ProxySession, push: Push) -> None:
        """Count a response that was handed to the transport."""
        kind, size, telemetry = push.type_url.short, len(push.body), self._telemetry
        telemetry.pushes.of(kind).inc()
        telemetry.push_bytes.of(kind).inc(size)
        telemetry.push_sizes.of(kind).observe(size)
        self._convergence.pushed(session, kind, push.revision)
        since = self.pace.owed_since(session)
        if since is not None:
            telemetry.push_seconds.of(kind).observe(self._clock.monotonic() - since)

    # -- what they say ----------------------------------------------------------------------------------------------------------------

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Count and tell an accepted response."""
        now, kind = self._clock.monotonic(), event.type_url.short
        seconds = self._elapsed(session, event.revision, now)
        self._telemetry.acks.of(kind).inc()
        self._telemetry.ack_seconds.of(kind).observe(seconds)
        self.nacks.cleared(session.proxy_id, kind, event.changes)
        if self.programming is not None:
            self.programming.acked(session, event, self._held.names(session, event.type_url) if self._held is not None else ())
        if self._events.wants(Acked):
            self._events.emit(Acked(session.proxy_id, kind, event.revision, seconds * 1000, tuple(sorted(event.changes))))
        self._answered(session, kind, event.revision, now)
        if self._held is not None:
            self._held.acked(session, event)

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Count, log once and tell a rejected response."""
        now, kind = self._clock.monotonic(), event.type_url.short
        self._telemetry.nacks.of(kind).inc()
        origins = origins_of(session, event.type_url)
        names, objects = self.nacks.note(session.proxy_id, event, origins)
        if self.programming is not None:
            self.programming.nacked(session, event, names, origins)
        ms = self._elapsed(session, event.revision, now) * 1000
        self._events.emit(Nacked(session.proxy_id, kind, event.revision, ms, event.message.strip(), names, objects))
        self._answered(session, kind, event.revision, now)
        for name in self._held.nacked(session, event) if self._held is not None else ():
            self.nacks.quarantined(kind, name)

    def overdue(self, session: ProxySession, overdue: Overdue) -> None:
        """Count and log what a proxy did not get ready in time, with the objects that it comes from."""
        kind = overdue.type_url.short
        self._telemetry.overdue.of(kind).inc()
        objects = list(map(str, origins_of(session, overdue.type_url)(overdue.name)))
        facts = {
            "proxy": session.proxy_id,
            "type": kind,
            "resource": overdue.name or "many",
            "objects": objects,
            "seconds": overdue.seconds,
        }
        log.warning("overdue", extra=facts)

    def idle(self, session: ProxySession, revision: int) -> None:
        """Note that a stream has nothing to send of the state with this revision, and that everything is answered."""
        now = self._clock.monotonic()
        self._convergence.idle(session, revision, now)
        if self.pace.answered(session, now):
            self._caught_up()

    def _answered(self, session: ProxySession, kind: str, revision: int, now: float) -> None:
        if self._convergence.answered(session, kind, revision, now) and self.pace.answered(session, now):
            self._caught_up()

    def _elapsed(self, session: ProxySession, revision: int, now: float) -> float:
        """Return the seconds since a revision came in, or since the proxy connected if that was later."""
        return now - max(self._since.get(revision, session.connected_at), session.connected_at)


def origins_of(session: ProxySession, type_url: TypeUrl) -> Origins:
    """Return what tells the objects that a resource was computed from."""
    compiled = session.served.compiled if session.served is not None else None
    if compiled is None:
        return lambda _: ()
    whole = type_url is TypeUrl.ROUTE  # whose parts are resources of their own in the other form
    resources = (compiled.resources if whole else compiled.split).get(type_url)

    def origins(name: str) -> tuple[ObjectKey, ...]:
        resource = resources.get(name) if resources is not None else None
        return resource.provenance if resource is not None else ()

    return origins
