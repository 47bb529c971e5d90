"""The gRPC server of the aggregated discovery service, on grpc.aio with bytes in and bytes out.

Each stream has two tasks with one owner: the one that gRPC gives it, which reads requests into the state machine, and a writer that writes
what the state machine has to say. Nothing is queued: the writer asks for the next response when it may write, so ten changes while a proxy
is slow make one response, and a blocked write blocks that stream only. A change of the state wakes the writer; an ACK after which nothing is
due, as nearly all are, wakes nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import DecodeError

from meshctl_operator.base.errors import MeshctlError, ProtocolViolation
from meshctl_operator.xds.budget import WriteBudget
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import Discovery, Session, XdsProtocol
from meshctl_operator.xds.events import Outcome, Overdue, Oversize, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState

BIG_REQUEST: Final = 16 * 1024
"""Bytes of a request from which on it takes its turn to be understood: half a megabyte of versions that a client holds takes some milliseconds."""

RELEASE_INTERVAL: Final = 5.0
"""Seconds after which responses that many streams share are let go."""

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"

log = logging.getLogger("meshctl.xds")


class AdsServer:
    """Serves SotW and Delta ADS on one address: ``await start("127.0.0.1:0")``, later ``await stop(grace)``."""

    def __init__(self, discovery: Discovery, options: ServerOptions | None = None) -> None:
        self._discovery = discovery
        self._options = options or ServerOptions()
        self._server: grpc.aio.Server | None = None
        self._sharing = Sharing(self._options.timing, time.monotonic)
        self._budget = WriteBudget(self._options.max_bytes_in_flight, self._options.write_patience)
        self._understanding = asyncio.Lock()
        self._connections: set[_Connection] = set()
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._connections)

    async def start(self, address: str) -> str:
        """Listen on ``host:port`` (port 0: any free one) and return the address that was bound. Raises MeshctlError if it is taken."""
        server = grpc.aio.server(options=self._options.channel_arguments())
        handlers = {
            "StreamAggregatedResources": grpc.stream_stream_rpc_method_handler(self._serve_sotw),
            "DeltaAggregatedResources": grpc.stream_stream_rpc_method_handler(self._serve_delta),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:  # what grpc.aio raises when the core could not bind
            raise _cannot_listen(address) from error
        if port == 0:
            raise _cannot_listen(address)
        self._stopping = False
        await server.start()
        self._server = server
        self._release()
        host, _, _ = address.rpartition(":")
        bound = f"{host}:{port}"
        log.info("listening", extra={"address": bound})
        return bound

    async def stop(self, grace: float = 1.0) -> None:
        """End all streams, so that the proxies reconnect elsewhere, and stop listening; what is not through after ``grace`` seconds is cut."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for connection in tuple(self._connections):
            connection.end()
        await server.stop(grace)
        log.info("stopped")

    def _release(self) -> None:
        """Let go of shared responses every few seconds: when a fleet connects they are wanted at once, or not at all. End stuck streams."""
        self._sharing.release()
        deadline = self._options.write_deadline
        if deadline is not None:
            for connection in tuple(self._connections):
                connection.end_if_stuck(deadline)
        self._timer = asyncio.get_running_loop().call_later(RELEASE_INTERVAL, self._release)

    async def _serve_sotw(self, _: object, context: _Context) -> None:
        decode = discovery_pb2.DiscoveryRequest.FromString
        await self._serve("sotw", SotwStream(self._sharing), decode, context)

    async def _serve_delta(self, _: object, context: _Context) -> None:
        decode = discovery_pb2.DeltaDiscoveryRequest.FromString
        await self._serve("delta", DeltaStream(self._sharing), decode, context)

    async def _serve(self, protocol: XdsProtocol, stream: _StateMachine, decode: Callable[[bytes], object], context: _Context) -> None:
        if self._stopping:
            return
        connection = _Connection(
            self._discovery, protocol, stream, decode, context, self._budget, self._options.big_response, self._understanding
        )
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.remove(connection)


def _cannot_listen(address: str) -> MeshctlError:
    return MeshctlError(
        f"cannot listen for xDS on {address}",
        hint="the address is taken by another process or is not one of this machine; choose another one, or port 0 for any free port",
    )


class _Context(Protocol):
    """The part of grpc.aio.ServicerContext that is used here, with bytes as messages."""

    async def read(self) -> Any: ...  # noqa: ANN401  (bytes, or grpc.aio.EOF, which has a type of its own)

    async def write(self, message: bytes) -> None: ...

    async def abort(self, code: grpc.StatusCode, details: str) -> None: ...

    def peer(self) -> str: ...


class _StateMachine(Protocol):
    """What the SotW and the Delta stream have in common."""

    @property
    def node(self) -> NodeInfo | None: ...

    @property
    def in_flight(self) -> bool: ...

    wake_at: float | None
    overdue: list[Overdue]

    def on_request(self, request: Any, /) -> Outcome: ...  # noqa: ANN401  (a DiscoveryRequest or a DeltaDiscoveryRequest)

    def has_next(self, state: ViewState) -> bool: ...

    def closed(self) -> None: ...

    def next_push(self, state: ViewState, at_most: int | None = None) -> Push | Oversize | None: ...

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None: ...


class _Connection:
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
        stream: _StateMachine,
        decode: Callable[[bytes], object],
        context: _Context,
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

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None:
        """Return what the client holds."""
        return self._stream.held(type_url)

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
