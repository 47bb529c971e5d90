"""One stream of a client on grpc.aio: reads requests into the state machine, and writes what that has to say.

Each stream has two tasks with one owner: the one that gRPC gives it, which reads, and a writer. Nothing is queued: the writer asks for the next
response when it may write, so ten changes while a proxy is slow make one response, and a blocked write blocks that stream only. A change of
the state wakes the writer; an ACK after which nothing is due, as nearly all are, wakes nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.xds.budget import WriteBudget
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import Discovery, Session, XdsProtocol
from meshctl_operator.xds.events import Oversize, Push
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import Resources, ViewState

BIG_REQUEST: Final = 16 * 1024
"""Bytes of a request from which on it takes its turn to be understood: half a megabyte of versions that a client holds takes some milliseconds."""

log = logging.getLogger("meshctl.xds")


class Context(Protocol):
    """The part of grpc.aio.ServicerContext that is used here, with bytes as messages."""

    async def read(self) -> Any:  # noqa: ANN401  (bytes, or grpc.aio.EOF, which has a type of its own)
        """Return the next request, or EOF when the client has no more."""
        ...

    async def write(self, message: bytes) -> None:
        """Hand a response to the transport; returns when that takes more."""
        ...

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """End the call with a status."""
        ...

    def peer(self) -> str:
        """Return the address of the client."""
        ...


StateMachine = SotwStream | DeltaStream


class Connection:
    """One stream: its state machine, its session and its writer. Implements ``xds.discovery.Stream``."""

    __slots__ = (
        "_big",
        "_budget",
        "_context",
        "_decode",
        "_discovery",
        "_ending",
        "_gone",
        "_protocol",
        "_session",
        "_stream",
        "_task",
        "_timer",
        "_understanding",
        "_unread_since",
        "_unsupported",
        "_wake",
        "_writing",
    )

    def __init__(
        self,
        discovery: Discovery,
        protocol: XdsProtocol,
        stream: StateMachine,
        decode: Callable[[bytes], object],
        context: Context,
        budget: WriteBudget,
        big: int,
        understanding: asyncio.Lock,
    ) -> None:
        self._discovery = discovery
        self._protocol: XdsProtocol = protocol
        self._stream = stream
        self._decode = decode
        self._context = context
        self._budget = budget
        self._big = big
        self._understanding = understanding
        self._session: Session | None = None
        self._task: asyncio.Task[Any] | None = None
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._unread_since: float | None = None  # when the response was handed over that the transport has not taken yet
        self._ending = False
        self._gone = False  # no status can be sent: the client has vanished, or a write to it is stuck
        self._unsupported: set[str] = set()

    def changed(self) -> None:
        """Have the writer look at the state."""
        self._wake.set()

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether the client was told anything of a type, or said itself what it holds."""
        return self._stream.knows(type_url)

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None:
        """Return what the client holds."""
        return self._stream.held(type_url)

    def accepted(self, type_url: TypeUrl) -> Resources:
        """Return what the client has accepted."""
        return self._stream.accepted(type_url)

    def end(self) -> None:
        """Close the stream: with status OK, unless a write is under way, for gRPC cannot send a status meanwhile."""
        self._ending = True
        self._gone |= self._writing
        if self._task is not None:
            self._task.cancel()

    def end_if_stuck(self, deadline: float) -> None:
        """Close the stream of a client that has not read what it is told for that many seconds."""
        since = self._unread_since
        if since is not None and time.monotonic() - since >= deadline and not self._ending:
            self._log("stuck", logging.WARNING, seconds=round(deadline))
            self.end()

    async def serve(self) -> None:
        """Run until the client ends the stream, the protocol is violated or the server stops."""
        self._task = asyncio.current_task()
        violation: ProtocolViolation | None = None
        try:
            violation = await self._run()
        except asyncio.CancelledError:
            if self._gone or not self._ending or self._task is None:
                raise  # what gRPC does itself when it notices that the client is gone
            self._task.uncancel()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            if self._session is not None:
                self._stream.closed()
                self._session.closed()
                self._log("closed")
            self._session = self._task = None  # or the stream would live on in a cycle until the garbage collector finds it
        if violation is not None:
            self._log("violation", logging.WARNING, reason=str(violation), peer=self._context.peer())
        if self._writing:  # to a client that does not read; no status can be sent meanwhile
            raise asyncio.CancelledError
        if violation is not None:
            details = f"{violation} ({violation.hint})" if violation.hint else str(violation)
            await self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)

    async def _run(self) -> ProtocolViolation | None:
        """Return why the client must be refused, or None when the stream simply ended."""
        try:
            while self._stream.node is None:
                if not await self._take_next():
                    return None
            session = self._connect()
        except ProtocolViolation as violation:
            return violation
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(self._write_all(session))
            try:
                return await self._read_all()
            finally:
                writer.cancel()

    def _connect(self) -> Session:
        node = self._stream.node
        if node is None:  # the state machine has refused a stream without one
            raise ProtocolViolation("the stream has no node")
        session = self._session = self._discovery.connect(node, self._protocol, self._context.peer())
        session.attach(self)
        self._wake.set()
        self._log("connected", peer=self._context.peer(), version=node.version_text)
        return session

    async def _read_all(self) -> ProtocolViolation | None:
        try:
            while await self._take_next():
                pass
        except ProtocolViolation as violation:
            return violation
        return None

    async def _take_next(self) -> bool:
        """Read a request and understand it; False at the end of the stream. Raises ProtocolViolation.

        Nothing of the request stays behind while the stream waits for the next one: the first ones of an Envoy may have half a megabyte.
        """
        data = await self._context.read()
        if not isinstance(data, bytes):  # grpc.aio.EOF
            return False
        if len(data) < BIG_REQUEST:
            self._understand(data)
            return True
        async with self._understanding:
            self._understand(data)
            await asyncio.sleep(0)  # one in each round of the loop, or a fleet that reconnects would hold it for half a second
        return True

    def _understand(self, data: bytes) -> None:
        try:
            request = self._decode(data)
        except DecodeError as error:
            raise ProtocolViolation("a request is no protobuf message of the discovery service") from error
        self._take(request)

    def _take(self, request: object) -> None:
        outcome = self._stream.on_request(request)
        if outcome.type_url is None:
            self._note_unsupported(getattr(request, "type_url", ""))
            return
        session = self._session
        if session is None:
            return
        if outcome.stale:
            session.outdated(outcome.type_url)
        if outcome.ack is not None:
            session.acked(outcome.ack)
        if outcome.nack is not None:
            self._log("nack", logging.DEBUG, type=outcome.type_url.short, nonce=outcome.nack.nonce, revision=outcome.nack.revision)
            session.nacked(outcome.nack)
        state = session.state
        if state is None or self._writing:  # the writer looks again when it is through
            return
        if self._stream.has_next(state):
            self._wake.set()
        else:
            self._rest(session, state)

    def _note_unsupported(self, type_url: str) -> None:
        if type_url not in self._unsupported:
            self._unsupported.add(type_url)
            self._log("unsupported", logging.WARNING, type=type_url)

    def _rest(self, session: Session, state: ViewState) -> None:
        """Note that there is nothing to write now, and look again when it is time to."""
        for overdue in self._stream.overdue:
            session.overdue(overdue)
        self._stream.overdue.clear()
        if self._timer is not None:
            self._timer.cancel()
        wake_at = self._stream.wake_at
        self._timer = None
        if wake_at is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wake_at - time.monotonic()), self._wake.set)
        if not self._stream.in_flight:
            session.idle(state.revision)

    async def _write_all(self, session: Session) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._writing = True
            try:
                await self._write_what_is_due(session)
            except grpc.aio.InternalError:  # the call is over, and its cancellation has not arrived yet
                self._gone = True
                self.end()
                return
            self._writing = False

    async def _write_what_is_due(self, session: Session) -> None:
        while (state := session.state) is not None:
            push = self._stream.next_push(state, self._big)
            if push is None:
                self._rest(session, state)
                return
            if isinstance(push, Push):
                await self._write(session, push)
            else:
                await self._write_in_turn(session, push)

    async def _write_in_turn(self, session: Session, due: Oversize) -> None:
        """Write what is due when its turn has come: nothing is composed before, and what is due may be something newer by then."""
        async with self._budget.share(due.size, due.kind):
            state = session.state
            push = self._stream.next_push(state) if state is not None else None
            if isinstance(push, Push):
                await self._write(session, push)

    async def _write(self, session: Session, push: Push) -> None:
        if log.isEnabledFor(logging.INFO):
            facts = {"changed": len(push.changed), "removed": len(push.removed), "bytes": len(push.body), "revision": push.revision}
            self._log("push", type=push.type_url.short, **facts)
        self._unread_since = time.monotonic()
        await self._context.write(push.body)
        self._unread_since = None
        session.pushed(push)

    def _log(self, event: str, level: int = logging.INFO, **facts: object) -> None:
        if log.isEnabledFor(level):
            node = self._stream.node
            extra: Mapping[str, object] = {"proxy": node.id if node else "", "protocol": self._protocol, **facts}
            log.log(level, event, extra=extra)
