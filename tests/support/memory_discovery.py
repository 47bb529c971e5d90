"""A Discovery that serves what a test says, the same to every client, and records what clients say about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.xds.discovery import Stream, XdsProtocol
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState, view_state

TIMEOUT = 10.0


class MemoryDiscovery:
    """Holds one state for all; ``serve`` replaces it. ``refused`` node ids are turned away."""

    def __init__(self, *resources: XdsResource, ready: bool = True) -> None:
        self.acks: list[AckEvent] = []
        self.nacks: list[NackEvent] = []
        self.overdue: list[Overdue] = []
        self.outdated: list[TypeUrl] = []
        self.sessions: list[MemorySession] = []
        self.refused: set[str] = set()
        self.state: ViewState | None = view_state(1, resources) if ready else None
        self.happened = asyncio.Condition()
        self._waiters: set[asyncio.Task[None]] = set()

    def connect(self, node: NodeInfo, protocol: XdsProtocol, peer: str) -> MemorySession:
        """Register a stream; see ``meshctl_operator.xds.discovery``."""
        if node.id in self.refused:
            raise ProtocolViolation(f"node {node.id} is not known here")
        session = MemorySession(self, node, protocol, peer)
        self.sessions.append(session)
        self.notify()
        return session

    def serve(self, resources: Iterable[XdsResource]) -> int:
        """Serve other resources from now on, and return the new revision."""
        revision = self.state.revision + 1 if self.state else 1
        self.state = view_state(revision, resources)
        for session in self.sessions:
            session.wake()
        return revision

    def notify(self) -> None:
        """Wake those who wait for an event."""

        async def wake() -> None:
            async with self.happened:
                self.happened.notify_all()

        task = asyncio.get_running_loop().create_task(wake())
        self._waiters.add(task)
        task.add_done_callback(self._waiters.discard)

    async def wait_for(self, predicate: Callable[[], object]) -> None:
        """Return when the predicate holds; it is tried after each event."""
        async with asyncio.timeout(TIMEOUT), self.happened:
            await self.happened.wait_for(lambda: bool(predicate()))


class MemorySession:
    """A session of ``MemoryDiscovery``."""

    def __init__(self, discovery: MemoryDiscovery, node: NodeInfo, protocol: XdsProtocol, peer: str) -> None:
        self.node, self.protocol, self.peer = node, protocol, peer
        self.open = True
        self.idle_revision = -1
        self.pushes: list[tuple[TypeUrl, int]] = []
        self.stream: Stream | None = None
        self._discovery = discovery

    @property
    def state(self) -> ViewState | None:
        """What everybody should hold."""
        return self._discovery.state

    def attach(self, stream: Stream) -> None:
        """Remember whom to tell of changes."""
        self.stream = stream

    def wake(self) -> None:
        """Tell the stream that the state is another one."""
        if self.stream is not None and self.open:
            self.stream.changed()

    def pushed(self, push: Push) -> None:
        """Record type and revision of a response that was written."""
        self.pushes.append((push.type_url, push.revision))

    def acked(self, event: AckEvent) -> None:
        """Record an ACK."""
        self._discovery.acks.append(event)
        self._discovery.notify()

    def nacked(self, event: NackEvent) -> None:
        """Record a NACK."""
        self._discovery.nacks.append(event)
        self._discovery.notify()

    def outdated(self, type_url: TypeUrl) -> None:
        """Record a request that answers no response."""
        self._discovery.outdated.append(type_url)
        self._discovery.notify()

    def overdue(self, overdue: Overdue) -> None:
        """Record what took too long."""
        self._discovery.overdue.append(overdue)
        self._discovery.notify()

    def idle(self, revision: int) -> None:
        """Record up to which revision the client is through."""
        self.idle_revision = revision
        self._discovery.notify()

    def closed(self) -> None:
        """Record the end of the stream."""
        self.open = False
        self._discovery.notify()
