"""The control plane: sources in, ADS out, one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.diagnostics import Diagnostic, sorted_unique
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import Connected, Disconnected, EventBus
from meshctl_operator.controlplane.garbage import GarbageCollector
from meshctl_operator.controlplane.loop_lag import watch_loop
from meshctl_operator.controlplane.pipeline import Pipeline
from meshctl_operator.controlplane.programming import Programming
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Source
from meshctl_operator.controlplane.supervision import SupervisedSource, locate
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.controlplane.worker import Worker
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl

if TYPE_CHECKING:
    from meshctl_operator.controlplane.pipeline import ResourceTrace
    from meshctl_operator.xds.ads import AdsServer
    from meshctl_operator.xds.options import ServerOptions
    from meshctl_operator.xds.quarantine import Held

Objects = Mapping[ObjectKey, ConfigObject[Any]]
"""The config objects of one revision; it never changes, so any thread may read it."""

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
        self.telemetry = Telemetry(pilot_metrics=settings.pilot_metrics)
        self._clock: Clock = clock or SystemClock()
        self._server_options = server_options
        self._sources = {source.name: SupervisedSource(source) for source in sources}
        self._pipeline = Pipeline(settings, [source.name for source in sources])
        self.telemetry.refresh_with(self._count_kinds)
        self._worker = Worker(
            settings,
            self._pipeline,
            self.telemetry,
            self.events,
            self._clock,
            in_sync=lambda: all(state.synced for state in self._sources.values()),
            locate=self._locate,
            progress=self._note_progress,
        )
        self._garbage = GarbageCollector(self.telemetry, tuned=settings.own_process)
        self._progress = asyncio.Event()
        self._followers: list[Callable[[Objects], None]] = []
        self._followed: Objects | None = None
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
            self._worker.held.close()
            if runner is not None:
                runner.cancel()
                with suppress(asyncio.CancelledError):
                    await runner

    async def _run(self) -> None:
        """Own the tasks. They outlive every error of users and sources; should one fail all the same, readiness tells."""
        try:
            with self._garbage:
                async with asyncio.TaskGroup() as tasks:
                    for name, state in self._sources.items():
                        tasks.create_task(state.run(self, self.settings, self._source_failed), name=f"source {name}")
                    tasks.create_task(self._worker.run(), name="worker")
                    tasks.create_task(watch_loop(self.telemetry, self._clock, self._garbage.tick), name="loop lag")
        except Exception:
            self._broken = True
            self.telemetry.ready.set(0)
            log.exception("control plane failed")
            raise

    async def serve(self, address: str) -> str:
        """Serve xDS on ``host:port`` (port 0: any free one); returns the address that was bound. Raises MeshctlError if it is taken."""
        from meshctl_operator.xds.ads import AdsServer  # gRPC is loaded by those who serve
        from meshctl_operator.xds.options import ServerOptions

        options = self._server_options or ServerOptions(max_connection_age=self.settings.max_connection_age)
        self._server = AdsServer(self, replace(options, timing=self.settings.timing))
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
        return self._worker.sessions

    @property
    def ready(self) -> bool:
        """Whether proxies may rely on what is served: every source in sync and within reach, and not draining."""
        healthy = not self._draining and not self._broken and not any(state.failure for state in self._sources.values())
        return healthy and self._worker.synced

    def not_ready_because(self) -> tuple[str, ...]:
        """Return what stands in the way of readiness."""
        reasons = [text for text, holds in (("draining", self._draining), ("failed, see the log", self._broken)) if holds]
        reasons += [obstacle for state in self._sources.values() if (obstacle := state.obstacle)]
        return tuple(reasons) if reasons or self._worker.synced else ("the first compilation is not done yet",)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return every finding that holds now: of the sources, of compiling for the connected proxies, and what proxies reject."""
        return sorted_unique(map(self._locate, self._worker.findings()))

    def follow_programming(self) -> Programming:
        """Follow from now on which objects are in force on which proxies. To be called before the control plane runs."""
        answers = self._worker.answers
        if answers.programming is None:
            answers.programming = Programming(self._clock, self._pipeline.is_ready)
        return answers.programming

    def graph(self, resource: str) -> tuple[ResourceTrace, ...]:
        """Return where the xDS resources with a name come from, and why they were computed last."""
        return self._pipeline.graph(resource)

    def quarantined(self) -> tuple[Held, ...]:
        """Return the versions of resources that are held back because proxies reject them, with what is served instead."""
        return self._worker.held.quarantine.entries()

    def _locate(self, finding: Diagnostic) -> Diagnostic:
        return locate(finding, [state.source for state in self._sources.values()])

    async def settled(self, revision: int | None = None) -> int:
        """Return the revision once everything submitted is compiled, sent and answered, as far as the connected proxies answer.

        Args:
            revision: wait for this one as well, if it is yet to come.

        Raises TimeoutError after ``Settings.settle_timeout`` if changes are not even compiled by then (or the revision never comes).
        """
        try:
            async with asyncio.timeout(self.settings.settle_timeout):
                while not (self._compiled(revision) and all(session.settled for session in self.sessions)):
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            if not self._compiled(revision):
                raise
        return self.revision

    def _compiled(self, revision: int | None) -> bool:
        return self._worker.idle and (revision is None or self.revision >= revision)

    def follow_objects(self, follower: Callable[[Objects], None]) -> None:
        """Call with the config objects (an immutable mapping) after each change, from the loop, as soon as every source is in sync."""
        self._followers.append(follower)
        self._followed = None
        self._tell_followers()

    def _tell_followers(self) -> None:
        if self._followers and self._worker.synced and self._followed is not (objects := self._pipeline.held_objects):
            self._followed = objects
            for follower in self._followers:
                follower(objects)

    def _note_progress(self) -> None:
        self._tell_followers()
        self.telemetry.ready.set(self.ready)
        if self._worker.idle:
            self._garbage.at_rest(self._clock.monotonic())
        self._progress.set()

    def _count_kinds(self) -> None:
        kinds = self._pipeline.kinds()
        for kind in {*kinds, *(kind for kind, _ in self.telemetry.kinds.items())}:
            self.telemetry.kinds.of(kind).set(kinds[kind])

    # -- sources --------------------------------------------------------------------------------------------------------------------

    def submit(self, changes: ChangeSet) -> None:
        """Take a set of changes from a source (``controlplane.source.Sink``)."""
        self._worker.submit(changes)
        state = self._sources.get(changes.source)
        if state is not None and changes.synced:
            state.in_sync()

    def _source_failed(self, name: str) -> None:
        self.telemetry.source_failures.of(name).inc()
        self.telemetry.ready.set(0)

    # -- streams (``xds.discovery.Discovery`` and ``sessions.Listener``) --------------------------------------------------------------

    def connect(self, node: NodeInfo, protocol: XdsProtocol, peer: str) -> ProxySession:
        """Register a stream. Raises ProtocolViolation for a node that cannot be served."""
        session = ProxySession(node, protocol, peer, self._clock.monotonic(), self, self._worker.held.quarantine)
        self.connected(session)
        return session

    def connected(self, session: ProxySession) -> None:
        """Compile for the stream as soon as possible."""
        self._worker.opened(session)
        self.telemetry.proxies.of(session.protocol).inc()
        self.events.emit(Connected(session.proxy_id, session.protocol))

    def pushed(self, session: ProxySession, push: Push) -> None:
        """Count a response that was handed to the transport."""
        self._worker.answers.pushed(session, push)

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Count and tell an accepted response."""
        self._worker.answers.acked(session, event)

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Count, log once and tell a rejected response."""
        self._worker.answers.nacked(session, event)

    def outdated(self, session: ProxySession, type_url: TypeUrl) -> None:  # noqa: ARG002  (whoever it was)
        """Count a request that answers no response."""
        self.telemetry.outdated.of(type_url.short).inc()

    def overdue(self, session: ProxySession, overdue: Overdue) -> None:
        """Count and log what a proxy did not get ready in time."""
        self._worker.answers.overdue(session, overdue)

    def idle(self, session: ProxySession) -> None:
        """Tell those who wait for the proxies to settle."""
        if session.state is not None:
            self._worker.answers.idle(session, session.state.revision)
        self._progress.set()

    def closed(self, session: ProxySession) -> None:
        """Forget a stream."""
        self._worker.closed(session)
        self.telemetry.proxies.of(session.protocol).inc(-1)
        self.events.emit(Disconnected(session.proxy_id))
        self._progress.set()
