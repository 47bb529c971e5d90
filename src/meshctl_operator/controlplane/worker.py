"""The worker: takes batches, has them compiled in slices, serves every stream, and tells what came of it.

One task does all of it, so the pipeline is never asked two things at a time; between two slices the loop is free for everybody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.clock import Clock
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.controlplane.answers import Answers, origins_of
from meshctl_operator.controlplane.batching import Batch, Inbox
from meshctl_operator.controlplane.events import ConfigApplied, EventBus, Synced
from meshctl_operator.controlplane.findings import FindingsBoard
from meshctl_operator.controlplane.pipeline import Pipeline, Served
from meshctl_operator.controlplane.quarantine_board import QuarantineBoard
from meshctl_operator.controlplane.rounds import Round
from meshctl_operator.controlplane.serving import Serving, Waiting
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.slices import Slices
from meshctl_operator.controlplane.telemetry import Telemetry

PIECE: Final = 64
"""Changes that are applied at a time: some milliseconds of work, with what one application costs in itself."""

PATIENCE: Final = 0.05
"""Seconds that a due batch waits for a compilation to end before it interrupts it."""

PUSH_COST: Final = 0.00015
"""Seconds of the loop that a stream with a new state will use for its response. Counted ahead, or hundreds would be written at one go."""

log = logging.getLogger("meshctl.controlplane")


class Worker:
    """Everything between what sources submit and what streams should hold."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        telemetry: Telemetry,
        events: EventBus,
        clock: Clock,
        *,
        in_sync: Callable[[], bool],
        locate: Callable[[Diagnostic], Diagnostic],
        progress: Callable[[], None],
    ) -> None:
        """Start with nothing to do.

        Args:
            settings: the windows of batches.
            pipeline: what compiles.
            telemetry: where it is counted.
            events: where it is told.
            clock: what it is timed by.
            in_sync: whether every source has told what it had at the start.
            locate: adds file and line to a finding.
            progress: called after each turn of work.
        """
        self.pipeline = pipeline
        self.synced = False
        self.held = QuarantineBoard(settings.state_folder, telemetry, clock, lambda: self._sessions, pipeline.held, origins_of)
        self.answers = Answers(telemetry, events, clock, self.wake, self.held)
        self._telemetry = telemetry
        self._events = events
        self._clock = clock
        self._in_sync = in_sync
        self._locate = locate
        self._progress = progress
        self._inbox = Inbox(settings.windows, pipeline.held)
        self._slices = Slices(clock)
        self._serving = Serving(pipeline, self._slices, clock, self._served, telemetry.compile_bugs.inc)
        self._board = FindingsBoard()
        self._sessions: dict[ProxySession, None] = {}
        self._round: Round | None = None
        self._told_synced = False
        self._wake = asyncio.Event()
        self._busy = False

    # -- what others say --------------------------------------------------------------------------------------------------------------

    def submit(self, changes: ChangeSet) -> None:
        """Take changes from a source."""
        self._inbox.add(changes, self._clock.monotonic())
        self.wake()

    def opened(self, session: ProxySession) -> None:
        """Serve a new stream as soon as possible."""
        self._sessions[session] = None
        self._serving.add(session, self._clock.monotonic())
        self.answers.opened(session)
        self.wake()

    def closed(self, session: ProxySession) -> None:
        """Forget a stream."""
        del self._sessions[session]
        self._serving.discard(session)
        if session.served is not None:
            self._board.release(session.served.compiled)
        self.answers.closed(session)
        self.wake()

    def wake(self) -> None:
        """Look whether there is something to do."""
        self._wake.set()

    # -- what it knows ----------------------------------------------------------------------------------------------------------------

    @property
    def sessions(self) -> tuple[ProxySession, ...]:
        """The open streams, oldest first."""
        return tuple(self._sessions)

    @property
    def idle(self) -> bool:
        """Whether everything that was submitted is compiled and served."""
        return self.synced and not (self._busy or self._serving or self._inbox or self._round or not self._told_synced)

    def findings(self) -> tuple[Diagnostic, ...]:
        """Return what holds now, without places: as of the last round, and what proxies reject at this moment."""
        self._put_rejections()
        return self._board.current()

    # -- work -------------------------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._wait()
            self._busy = True
            self._slices.begin()
            try:
                await self._turn()
            finally:
                self._busy = False
            self._progress()

    async def _wait(self) -> None:
        """Return when somebody waits to be served, the batch is due, or something happened."""
        if self.synced and self._serving:
            return
        due = self._due_at()
        try:
            async with asyncio.timeout(None if due is None else max(0.0, due - self._clock.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _turn(self) -> None:
        if self.synced:
            await self._serving.drain(self._is_due, self._is_overdue)
        if self._is_due():
            await self._apply(self._inbox.take())
        if not self.synced:
            self.synced = not self._inbox and self._in_sync()
        if self.synced and not self._serving:
            await self._end_round()

    def _due_at(self) -> float | None:
        if not self._inbox:
            return None
        now, pace = self._clock.monotonic(), self.answers.pace
        pace.wait(len(self._serving), now)
        return self._inbox.due(pace.earliest(now))

    def _is_due(self) -> bool:
        due = self._due_at()
        return due is not None and due <= self._clock.monotonic()

    def _is_overdue(self) -> bool:
        due = self._due_at()
        return due is not None and due + PATIENCE <= self._clock.monotonic()

    async def _apply(self, batch: Batch) -> None:
        """Apply a batch in pieces; nobody is served in between. Then everybody waits to be served."""
        telemetry = self._telemetry
        telemetry.batch_wait.observe(self._clock.monotonic() - batch.since)
        telemetry.batches.of("endpoints" if batch.only_endpoints else "config").inc()
        self._serving.restart()
        if self._round is None:
            self._round = Round(batch.since)
        for start in range(0, len(batch.changes), PIECE):
            piece = batch.changes[start : start + PIECE]
            step = self.pipeline.apply(piece)
            if self.answers.programming is not None:
                self.answers.programming.applied((change for _, change in piece), step.revision)
            self._round.note(step)
            for key in step.changed:
                telemetry.changes.of(key.kind).inc()
            for key in step.rejected:
                telemetry.rejected.of(key.kind).inc()
            await self._slices.breathe()
        self.answers.arrived(self.pipeline.revision, batch.since)
        self._round.applied(batch.since)
        if self.synced and self._round.changed:
            now = self._clock.monotonic()
            for session in self._sessions:
                self._serving.add(session, now)
            self.answers.pace.wait(len(self._serving), now)

    def _served(self, session: ProxySession, before: Served | None, served: Served, waiting: Waiting) -> None:
        """Note what a stream should hold from now on."""
        if self.answers.programming is not None:
            self.answers.programming.served(session, before, served, self.pipeline.revision)
        if before is served:
            return
        if before is None or before.compiled is not served.compiled:
            self._board.hold(served.compiled, served.compiled.diagnostics)
            if before is not None:
                self._board.release(before.compiled)
        if before is not None and before.state is served.state:
            return
        now = self._clock.monotonic()
        self._telemetry.compile_seconds.observe(waiting.spent)
        self._telemetry.queue_seconds.observe(now - waiting.since)
        wave = None
        if before is not None and self._round is not None:
            if not self._round.reached:
                self._slices.use_up()  # the first response goes out while the others are compiled
            wave = self._round.served(before.state, served.state)
        self.answers.reached(session, served.state.revision, wave)
        self._slices.charge(PUSH_COST)

    async def _end_round(self) -> None:
        """Tell what the changes did, now that every stream has what it should."""
        if self._round is None and self._told_synced:
            return
        done, self._round = self._round, None
        self.answers.pace.wait(0, self._clock.monotonic())
        for _ in self.pipeline.prepare_findings():
            await self._slices.breathe()
        self._board.put("pipeline", self.pipeline.findings())
        if not self._told_synced:
            self.held.synced()
        elif done is not None:
            self.held.objects_changed(done.changed)
        self._put_rejections()
        difference = self._board.take()
        for finding in difference.fresh:
            log.info("finding", extra={"code": finding.code, "severity": finding.severity.value, "finding": str(self._locate(finding))})
        self._count()
        if self.answers.programming is not None:
            self.answers.programming.round_ended()
        if not self._told_synced:
            self._tell_synced()
        elif done is not None:
            self._tell_round(done, tuple(map(self._locate, difference.fresh)), difference.healed)

    def _put_rejections(self) -> None:
        self._board.put("proxies", self.answers.nacks.findings())
        self._board.put("quarantine", self.held.findings())

    def _tell_synced(self) -> None:
        self._told_synced = True
        objects, revision = self.pipeline.objects, self.pipeline.revision
        log.info("synced", extra={"objects": objects, "revision": revision})
        self._events.emit(Synced(objects, revision, tuple(map(self._locate, self._board.current()))))

    def _tell_round(self, done: Round, fresh: tuple[Diagnostic, ...], healed: int) -> None:
        """Emit what a round did, unless it did nothing that anybody could see."""
        for wave in done.waves:
            self.answers.seal(wave)
        if not (done.changed or done.rejected or fresh or healed):
            return
        seconds = self._clock.monotonic() - done.since
        self._telemetry.apply_seconds.observe(seconds)
        facts = {"changed": len(done.changed), "rejected": len(done.rejected), "resources": done.resources}
        log.info("config", extra={"revision": done.revision, **facts})
        self._events.emit(
            ConfigApplied(
                done.revision, tuple(sorted(done.changed)), tuple(sorted(done.rejected)), done.resources, fresh, healed, seconds * 1000
            )
        )

    def _count(self) -> None:
        telemetry, statistics = self._telemetry, self.pipeline.take_statistics()
        for name, count in statistics.recomputed.items():
            telemetry.recomputed.of(name).inc(count)
        telemetry.dropped.inc(statistics.dropped)
        telemetry.objects.set(self.pipeline.objects)
        telemetry.revision.set(self.pipeline.revision)
        for severity, count in self._board.severities.items():
            telemetry.findings.of(severity).set(count)
