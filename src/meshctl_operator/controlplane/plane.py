"""The control plane: sources in, ADS out, one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.batching import Batch, Inbox
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Connected, Disconnected, EventBus, Nacked, Synced
from meshctl_operator.controlplane.nacks import NackLog
from meshctl_operator.controlplane.pipeline import Pipeline
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Source
from meshctl_operator.controlplane.states import differences
from meshctl_operator.controlplane.supervision import SupervisedSource, locate
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl

if TYPE_CHECKING:
    from meshctl_operator.xds.ads import AdsServer
    from meshctl_operator.xds.options import ServerOptions

REVISIONS_TIMED: Final = 256  # revisions whose time of arrival is remembered, to time their ACKs

log = logging.getLogger("meshctl.controlplane")


class ControlPlane:
    """Serves what the sources say, while the ``async with`` block lasts.

    Where two sources have the same object, that of the earlier one counts. Nothing is served before every source is in sync.

        async with ControlPlane(Settings(), [DirectorySource(["./config"])]) as plane:
            await plane.serve("127.0.0.1:15010")
    """

    def __init__(
        self,
        settings: Settings,
        sources: Sequence[Source],
        *,
        clock: Clock | None = None,
        server_options: ServerOptions | None = None,
    ) -> None:
        self.settings = settings
        self.events = EventBus()
        self.telemetry = Telemetry()
        self._clock: Clock = clock or SystemClock()
        self._server_options = server_options
        self._sources = {source.name: SupervisedSource(source) for source in sources}
        self._pipeline = Pipeline(settings, [source.name for source in sources])
        self._inbox = Inbox(settings.windows)
        self._sessions: list[ProxySession] = []
        self._new: deque[ProxySession] = deque()
        self._nacks = NackLog()
        self._reported: frozenset[Diagnostic] = frozenset()
        self._since: dict[int, float] = {}
        self._wake = asyncio.Event()
        self._progress = asyncio.Condition()
        self._busy = False
        self._synced = False
        self._draining = False
        self._server: AdsServer | None = None
        self._broken = False
        self._runner: asyncio.Task[None] | None = None

    # -- life -----------------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the sources and the pipeline."""
        self._runner = asyncio.create_task(self._run(), name="control plane")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the streams, then stop everything."""
        try:
            await self.stop()
        finally:
            runner, self._runner = self._runner, None
            self.events.end()
            if runner is not None:
                runner.cancel()
                with suppress(asyncio.CancelledError):
                    await runner

    async def _run(self) -> None:
        """Own the tasks. They outlive every error of users and sources; should one fail all the same, readiness tells."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for name, state in self._sources.items():
                    tasks.create_task(state.run(self, self.settings, self._source_failed), name=f"source {name}")
                tasks.create_task(self._work(), name="pipeline")
        except Exception:
            self._broken = True
            self.telemetry.ready.set(0)
            log.exception("control plane failed")
            raise

    async def serve(self, address: str) -> str:
        """Serve xDS on ``host:port`` (port 0: any free one); returns the address that was bound. Raises MeshctlError if it is taken."""
        from meshctl_operator.xds.ads import AdsServer  # gRPC is loaded by those who serve

        self._server = AdsServer(self, self._server_options)
        return await self._server.start(address)

    async def stop(self) -> None:
        """Drain: readiness fails, streams are closed, and no new ones are accepted."""
        self._draining = True
        self.telemetry.ready.set(0)
        server, self._server = self._server, None
        if server is not None:
            await server.stop(self.settings.drain_grace)

    # -- what it knows --------------------------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """The number of the newest state."""
        return self._pipeline.revision

    @property
    def objects(self) -> int:
        """How many config objects are held."""
        return self._pipeline.objects

    @property
    def sessions(self) -> tuple[ProxySession, ...]:
        """The open streams, oldest first."""
        return tuple(self._sessions)

    @property
    def ready(self) -> bool:
        """Whether proxies may rely on what is served: every source in sync and within reach, and not draining."""
        return self._synced and not self._draining and not self._broken and not any(state.failure for state in self._sources.values())

    def not_ready_because(self) -> tuple[str, ...]:
        """Return what stands in the way of readiness."""
        reasons = [text for text, holds in (("draining", self._draining), ("failed, see the log", self._broken)) if holds]
        reasons += [obstacle for state in self._sources.values() if (obstacle := state.obstacle)]
        return tuple(reasons) if reasons or self._synced else ("the first compilation is not done yet",)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return every finding that holds now: of the sources, of compiling for the connected proxies, and what proxies reject."""
        sources = [state.source for state in self._sources.values()]
        found = list(self._pipeline.findings())
        for session in self._sessions:
            if session.served is not None:
                found += session.served.compiled.diagnostics
        return sorted_unique(locate(finding, sources) for finding in dict.fromkeys((*found, *self._nacks.findings())))

    async def settled(self, revision: int | None = None) -> int:
        """Return the revision once everything submitted is compiled, sent and answered, as far as the connected proxies answer.

        Args:
            revision: wait for this one as well, if it is yet to come.

        Raises TimeoutError after ``Settings.settle_timeout`` if changes are not even compiled by then (or the revision never comes).
        """
        try:
            async with asyncio.timeout(self.settings.settle_timeout), self._progress:
                await self._progress.wait_for(lambda: self._compiled(revision) and all(session.settled for session in self._sessions))
        except TimeoutError:
            if not self._compiled(revision):
                raise
        return self.revision

    def _compiled(self, revision: int | None) -> bool:
        idle = self._synced and not self._busy and not self._new and self._inbox.due is None
        return idle and (revision is None or self.revision >= revision)

    # -- sources --------------------------------------------------------------------------------------------------------------------

    def submit(self, changes: ChangeSet) -> None:
        """Take a set of changes from a source (``controlplane.source.Sink``)."""
        self._inbox.add(changes, self._clock.monotonic())
        state = self._sources.get(changes.source)
        if state is not None and changes.synced:
            state.in_sync()
        self._wake.set()

    def _source_failed(self, name: str) -> None:
        self.telemetry.source_failures.labels(name).inc()
        self.telemetry.ready.set(0)

    # -- work -----------------------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Compile new proxies at once and changes in batches."""
        while True:
            await self._wait_for_work()
            self._busy = True
            try:
                if self._synced:
                    await self._compile_new()
                due = self._inbox.due
                if due is not None and due <= self._clock.monotonic():
                    await self._apply(self._inbox.take())
                if not self._synced and self._inbox.due is None and all(state.synced for state in self._sources.values()):
                    await self._first_sync()
            finally:
                self._busy = False
            self.telemetry.ready.set(self.ready)
            await self._note_progress()

    async def _wait_for_work(self) -> None:
        """Return when a proxy connected, something was submitted, or the batch is due."""
        due = self._inbox.due
        wait = None if due is None else max(0.0, due - self._clock.monotonic())
        try:
            async with asyncio.timeout(wait):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _first_sync(self) -> None:
        self._synced = True
        await self._compile_new()
        found = self.diagnostics()
        self._report(found)
        self.telemetry.objects.set(self.objects)
        self.telemetry.revision.set(self.revision)
        log.info("synced", extra={"objects": self.objects, "revision": self.revision})
        self.events.emit(Synced(self.objects, self.revision, found))

    async def _compile_new(self) -> None:
        while self._new:
            session = self._new.popleft()
            if session in self._sessions:
                self._serve(session)
                await asyncio.sleep(0)

    async def _apply(self, batch: Batch) -> None:
        """Apply a batch and compile what it changes for every proxy; the loop stays free between two proxies."""
        step = self._pipeline.apply(batch.changes)
        self._time(step.revision, batch.since)
        changed: set[tuple[TypeUrl, str, str]] = set()
        if step.changed and self._synced:
            for session in list(self._sessions):
                if session.served is not None:
                    changed |= self._serve(session)
                    await asyncio.sleep(0)
        for key in step.changed:
            self.telemetry.changes.labels(key.kind).inc()
        for key in step.rejected:
            self.telemetry.rejected.labels(key.kind).inc()
        self.telemetry.objects.set(self.objects)
        self.telemetry.revision.set(self.revision)
        if self._synced:
            self._tell(step.revision, step.changed, step.rejected, len(changed), batch.since)

    def _tell(self, revision: int, changed: tuple[ObjectKey, ...], rejected: tuple[ObjectKey, ...], resources: int, since: float) -> None:
        """Emit what a batch did, unless it did nothing that anybody could see."""
        before = self._reported
        now = self.diagnostics()
        self._report(now)
        fresh = tuple(finding for finding in now if finding not in before)
        healed = len(before - self._reported)
        if not (changed or rejected or fresh or healed):
            return
        seconds = self._clock.monotonic() - since
        self.telemetry.apply_seconds.observe(seconds)
        log.info("config", extra={"revision": revision, "changed": len(changed), "rejected": len(rejected), "resources": resources})
        self.events.emit(ConfigApplied(revision, changed, rejected, resources, fresh, healed, seconds * 1000))

    def _report(self, findings: Sequence[Diagnostic]) -> None:
        """Log the findings that were not there before."""
        for finding in findings:
            if finding not in self._reported:
                log.info("finding", extra={"code": finding.code, "severity": finding.severity.value, "finding": str(finding)})
        self._reported = frozenset(findings)

    def _serve(self, session: ProxySession) -> set[tuple[TypeUrl, str, str]]:
        """Compile for one stream; returns the xDS resources that differ from before. After a bug of ours it keeps what it had."""
        start = self._clock.monotonic()
        before = session.served
        try:
            served = self._pipeline.serve(session.declared, before)
        except CompileBug as bug:
            self.telemetry.compile_bugs.inc()
            log.exception("compile bug", extra={"proxy": session.proxy_id, "reason": str(bug)}, exc_info=bug.__cause__)
            return set()
        finally:
            self.telemetry.compile_seconds.observe(self._clock.monotonic() - start)
        session.update(served)
        if before is not None and served.state is before.state:
            return set()
        changed = differences(before.state if before is not None else None, served.state)
        for type_url in {type_url for type_url, _, _ in changed}:
            self.telemetry.pushes.labels(type_url.short).inc()
        return changed

    def _time(self, revision: int, since: float) -> None:
        self._since[revision] = since
        while len(self._since) > REVISIONS_TIMED:
            del self._since[next(iter(self._since))]

    async def _note_progress(self) -> None:
        async with self._progress:
            self._progress.notify_all()

    # -- streams (``xds.discovery.Discovery`` and ``sessions.Listener``) ----------------------------------------------------------------

    def connect(self, node: NodeInfo, protocol: XdsProtocol, peer: str) -> ProxySession:
        """Register a stream. Raises ProtocolViolation for a node that cannot be served."""
        session = ProxySession(node, protocol, peer, self._clock.monotonic(), self)
        self.connected(session)
        return session

    def connected(self, session: ProxySession) -> None:
        """Compile for the stream as soon as possible."""
        self._sessions.append(session)
        self._new.append(session)
        self.telemetry.proxies.set(len(self._sessions))
        self.events.emit(Connected(session.proxy_id, session.protocol))
        self._wake.set()

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Count and tell an accepted response."""
        kind = event.type_url.short
        seconds = self._elapsed(session, event.revision)
        self.telemetry.acks.labels(kind).inc()
        self.telemetry.ack_seconds.labels(kind).observe(seconds)
        self._nacks.cleared(session.proxy_id, kind, event.changes)
        self.events.emit(Acked(session.proxy_id, kind, event.revision, seconds * 1000, tuple(sorted(event.changes))))

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Count, log once and tell a rejected response."""
        kind = event.type_url.short
        self.telemetry.nacks.labels(kind).inc()
        compiled = session.served.compiled.resources.get(event.type_url, {}) if session.served is not None else {}
        provenance = {name: resource.provenance for name, resource in compiled.items()}
        names, objects = self._nacks.note(session.proxy_id, event, provenance)
        ms = self._elapsed(session, event.revision) * 1000
        self.events.emit(Nacked(session.proxy_id, kind, event.revision, ms, event.message.strip(), names, objects))

    def idle(self, session: ProxySession) -> None:
        """Wake those who wait for the proxies to settle."""
        log.debug("idle", extra={"proxy": session.proxy_id})
        self._wake.set()

    def closed(self, session: ProxySession) -> None:
        """Forget a stream."""
        self._sessions.remove(session)
        self.telemetry.proxies.set(len(self._sessions))
        if not any(other.proxy_id == session.proxy_id for other in self._sessions):
            self._nacks.forget(session.proxy_id)
        self.events.emit(Disconnected(session.proxy_id))
        self._wake.set()

    def _elapsed(self, session: ProxySession, revision: int) -> float:
        """Return the seconds since a revision came in, or since the proxy connected if that was later."""
        since = max(self._since.get(revision, session.connected_at), session.connected_at)
        return self._clock.monotonic() - since
