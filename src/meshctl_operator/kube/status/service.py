"""Runs everything about status beside a control plane: the election, the desk, the writes and the Events."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.slices import Slices
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.source import KubernetesSource
from meshctl_operator.kube.status.desk import StatusDesk
from meshctl_operator.kube.status.election import Election, Leases
from meshctl_operator.kube.status.events import EventWriter
from meshctl_operator.kube.status.replicas import ADDRESS, TOKEN, Presence, Replicas
from meshctl_operator.kube.status.reports import ReportServer
from meshctl_operator.kube.status.settings import StatusSettings
from meshctl_operator.kube.status.writer import Outcome, StatusWriter
from meshctl_operator.status.conditions import Conditions
from meshctl_operator.status.patches import Stored
from meshctl_operator.status.planning import WritePlanner
from meshctl_operator.status.transitions import transitions

WRITERS: Final = 8
"""Requests at a time."""

REST: Final = 0.005
"""Least seconds between two looks at what is open."""

SHARE: Final = 4.0
"""A look that took a while is followed by so many times that without one, so that status never has more than a fifth of the loop."""

LOOK_EVERY: Final = 0.25
"""Seconds after which it is looked in any case whether status is ours to write."""

log = logging.getLogger("meshctl.kube")


@dataclass(frozen=True, slots=True)
class _Work:
    """Who does what while the service runs."""

    election: Election
    replicas: Replicas
    writer: StatusWriter
    events: EventWriter


class StatusService:
    """The status of all our objects. Make it before the control plane runs; ``run`` it beside that until cancelled."""

    def __init__(
        self, plane: ControlPlane, source: KubernetesSource, settings: KubeSettings, status: StatusSettings, *, clock: Clock | None = None
    ) -> None:
        self._plane = plane
        self._settings = settings
        self._status = status
        self._clock = clock or SystemClock()
        self._programming = plane.follow_programming()
        self._planner = WritePlanner(status.pacing)
        self._desk = StatusDesk(settings, self._programming, self._planner)
        self._wake = asyncio.Event()
        self._stale = False
        self._rounds = -1
        self._writes: set[asyncio.Task[None]] = set()
        self._reports = ReportServer(status.token, lambda: self._programming.rounds > 0, self._desk.acknowledgements)
        self._desk.wake = self._programming.progress = self._note
        source.observed_by(self._desk)

    def _note(self) -> None:
        """Take note that there may be something new."""
        self._stale = True
        self._wake.set()
        self._reports.note()

    async def run(self) -> None:
        """Keep every status true until cancelled. Whatever goes wrong, the control plane goes on, and so does this after a while."""
        while True:
            try:
                await self._run()
            except Exception:
                log.exception("status failed")
                await asyncio.sleep(self._status.retry)

    async def _run(self) -> None:
        status = self._status
        connection = await asyncio.to_thread(Connection.load, self._settings)
        leases = Leases(connection, self._settings.system_namespace, status.lease)
        election = Election(leases, status.lease_name, status.identity, self._clock, status.lease, self._wake.set)
        replicas = Replicas(
            leases,
            status.identity,
            status.lease_name,
            self._clock,
            status.lease,
            lambda: self._desk.open if election.leads else (),
            self._heard,
        )
        self._reports.greeted = replicas.greeted
        events = EventWriter(connection, self._clock, status.identity)
        work = _Work(election, replicas, StatusWriter(connection), events)
        address = await self._reports.start(status.host, status.port)
        presence = Presence(leases, status.identity, status.lease_name, status.lease, {ADDRESS: address, TOKEN: status.token})
        try:
            await presence.begin()
            with ThreadPoolExecutor(WRITERS, "status writer") as threads:
                try:
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(presence.run(), name="presence")
                        tasks.create_task(election.run(), name="election")
                        tasks.create_task(replicas.run(), name="replicas")
                        tasks.create_task(events.run(), name="events")
                        tasks.create_task(self._judge(work, threads), name="status")
                finally:
                    for task in tuple(self._writes):
                        task.cancel()
                    await asyncio.gather(*self._writes, return_exceptions=True)
        finally:
            await self._reports.stop()

    def _heard(self) -> None:
        """Take note that another replica has news."""
        self._stale = True
        self._wake.set()

    async def _judge(self, work: _Work, threads: ThreadPoolExecutor) -> None:
        """Conclude what is new, and write what is due, as long as that is ours to do."""
        slices = Slices(self._clock)
        active = False
        while True:
            await self._wait(self._planner.next_at() if active else None)
            if active is not (work.election.leads and self._plane.ready):
                active = not active
                self._planner.forget_all_but(())
                self._desk.reopen_all()
            if not active:
                continue
            begin = self._clock.monotonic()
            if self._stale:
                await self._conclude(work, slices, begin)
            for key, wanted in self._planner.take(self._clock.monotonic()):
                task = asyncio.create_task(self._write(key, wanted, work, threads))
                self._writes.add(task)
                task.add_done_callback(self._writes.discard)
            await asyncio.sleep(max(REST, SHARE * (self._clock.monotonic() - begin)))

    async def _conclude(self, work: _Work, slices: Slices, now: float) -> None:
        """Look at everything that is open."""
        self._stale = False
        slices.begin()
        if self._rounds != self._programming.rounds:
            self._rounds = self._programming.rounds
            self._desk.found(self._plane.diagnostics())
        for _ in self._desk.conclude(now, work.replicas.say):
            await slices.breathe()
        work.replicas.asked_for_more()

    async def _wait(self, due: float | None) -> None:
        """Return when something happened, or when a write is due; soon in any case, for nobody tells when readiness or the Lease ends."""
        timeout = LOOK_EVERY if due is None else min(LOOK_EVERY, max(0.0, due - self._clock.monotonic()))
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _write(self, key: ObjectKey, wanted: Conditions, work: _Work, threads: ThreadPoolExecutor) -> None:
        stored = self._desk.stored(key)
        if stored is None:
            self._planner.forget(key)
            return
        try:
            outcome, found = await asyncio.get_running_loop().run_in_executor(threads, work.writer.write, key, stored, wanted)
        except Exception:
            log.exception("status could not be written", extra={"object": str(key)})
            outcome, found = Outcome.FAILED, None
        now = self._clock.monotonic()
        match outcome:
            case Outcome.WRITTEN:
                work.events.tell(stored, transitions(stored.conditions, wanted))
                self._take(key, found)
                self._planner.done(key, wanted, now)
            case Outcome.CONFLICT:
                self._take(key, found)
                self._planner.failed(key, now, conflict=True)
            case Outcome.GONE:
                self._planner.forget(key)
            case Outcome.FAILED:
                self._planner.failed(key, now)
        self._wake.set()

    def _take(self, key: ObjectKey, found: Stored | None) -> None:
        if found is not None:
            self._desk.written(key, found)
