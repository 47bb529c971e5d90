"""The gRPC server of the aggregated discovery service, on grpc.aio with bytes in and bytes out.

Each stream has three tasks with one owner: a reader that feeds requests to the state machine, a watcher that waits for a new state of
the session, and a writer that writes what the state machine has to say. Nothing is queued: the writer asks for the next response when it
may write, so ten changes while a proxy is slow make one response, and a blocked write blocks that stream only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable, Mapping
from typing import Any, Final, Protocol

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.message import DecodeError

from meshctl_operator.base.errors import MeshctlError, ProtocolViolation
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import Discovery, Session, XdsProtocol
from meshctl_operator.xds.events import Outcome, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState

SERVICE: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"

log = logging.getLogger("meshctl.xds")


class AdsServer:
    """Serves SotW and Delta ADS on one address: ``await start("127.0.0.1:0")``, later ``await stop(grace)``."""

    def __init__(self, discovery: Discovery, options: ServerOptions | None = None) -> None:
        self._discovery = discovery
        self._options = options or ServerOptions()
        self._server: grpc.aio.Server | None = None
        self._stopping = asyncio.Event()
        self._streams = 0

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return self._streams

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
        self._stopping.clear()
        await server.start()
        self._server = server
        host, _, _ = address.rpartition(":")
        bound = f"{host}:{port}"
        log.info("listening", extra={"address": bound})
        return bound

    async def stop(self, grace: float = 1.0) -> None:
        """End all streams, so that the proxies reconnect elsewhere, and stop listening; what is not through after ``grace`` seconds is cut."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping.set()
        await server.stop(grace)
        log.info("stopped")

    async def _serve_sotw(self, requests: AsyncIterable[bytes], context: _Context) -> None:
        decode = discovery_pb2.DiscoveryRequest.FromString
        await self._serve(_Connection(self._discovery, "sotw", SotwStream(), decode, requests, context))

    async def _serve_delta(self, requests: AsyncIterable[bytes], context: _Context) -> None:
        decode = discovery_pb2.DeltaDiscoveryRequest.FromString
        await self._serve(_Connection(self._discovery, "delta", DeltaStream(), decode, requests, context))

    async def _serve(self, connection: _Connection) -> None:
        self._streams += 1
        try:
            await connection.serve(self._stopping)
        finally:
            self._streams -= 1


def _cannot_listen(address: str) -> MeshctlError:
    return MeshctlError(
        f"cannot listen for xDS on {address}",
        hint="the address is taken by another process or is not one of this machine; choose another one, or port 0 for any free port",
    )


class _Context(Protocol):
    """The part of grpc.aio.ServicerContext that is used here, with bytes as messages."""

    async def write(self, message: bytes) -> None: ...

    async def abort(self, code: grpc.StatusCode, details: str) -> None: ...

    def peer(self) -> str: ...


class _StateMachine(Protocol):
    """What the SotW and the Delta stream have in common."""

    @property
    def node(self) -> NodeInfo | None: ...

    @property
    def in_flight(self) -> bool: ...

    def on_request(self, request: Any, /) -> Outcome: ...  # noqa: ANN401  (a DiscoveryRequest or a DeltaDiscoveryRequest)

    def next_push(self, state: ViewState) -> Push | None: ...


class _Connection:
    """One stream: its state machine, its session and its three tasks."""

    def __init__(
        self,
        discovery: Discovery,
        protocol: XdsProtocol,
        stream: _StateMachine,
        decode: Callable[[bytes], object],
        requests: AsyncIterable[bytes],
        context: _Context,
    ) -> None:
        self._discovery = discovery
        self._protocol: XdsProtocol = protocol
        self._stream = stream
        self._decode = decode
        self._requests = aiter(requests)
        self._context = context
        self._session: Session | None = None
        self._wake = asyncio.Event()
        self._gone = False  # the client has vanished, so there is nobody to send a status to
        self._unsupported: set[str] = set()

    async def serve(self, stopping: asyncio.Event) -> None:
        """Run until the client ends the stream, the protocol is violated or the server stops."""
        violation: ProtocolViolation | None = None
        try:
            violation = await self._run(stopping)
        finally:
            if self._session is not None:
                self._session.closed()
                self._log("closed")
        if violation is not None:
            self._log("violation", logging.WARNING, reason=str(violation), peer=self._context.peer())
            details = f"{violation} ({violation.hint})" if violation.hint else str(violation)
            await self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, details)

    async def _run(self, stopping: asyncio.Event) -> ProtocolViolation | None:
        """Return why the client must be refused, or None when the stream simply ended."""
        try:
            first = await self._read()
            if first is None:
                return None
            self._take(first)
            session = self._connect()
        except ProtocolViolation as violation:
            return violation
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(self._read_all())
            others = [
                tasks.create_task(self._write_all(session, reader)),
                tasks.create_task(self._watch(session)),
                tasks.create_task(_cancel_when(stopping, reader)),
            ]
            reader.add_done_callback(lambda _: [task.cancel() for task in others])
        if self._gone:
            raise asyncio.CancelledError  # what gRPC does itself when it notices
        return None if reader.cancelled() else reader.result()

    def _connect(self) -> Session:
        node = self._stream.node
        if node is None:  # the state machine has refused a stream without one
            raise ProtocolViolation("the stream has no node")
        self._session = self._discovery.connect(node, self._protocol, self._context.peer())
        self._log("connected", peer=self._context.peer(), version=node.version_text)
        return self._session

    async def _read(self) -> object | None:
        """Return the next request, or None at the end of the stream. Raises ProtocolViolation for what is no request at all."""
        data = await anext(self._requests, None)
        if data is None:
            return None
        try:
            return self._decode(data)
        except DecodeError as error:
            raise ProtocolViolation("a request is no protobuf message of the discovery service") from error

    async def _read_all(self) -> ProtocolViolation | None:
        try:
            while (request := await self._read()) is not None:
                self._take(request)
        except ProtocolViolation as violation:
            return violation
        return None

    def _take(self, request: object) -> None:
        outcome = self._stream.on_request(request)
        if outcome.type_url is None:
            self._note_unsupported(getattr(request, "type_url", ""))
            return
        if self._session is not None and outcome.ack is not None:
            self._session.acked(outcome.ack)
        if self._session is not None and outcome.nack is not None:
            self._log("nack", logging.DEBUG, type=outcome.type_url.short, nonce=outcome.nack.nonce, revision=outcome.nack.revision)
            self._session.nacked(outcome.nack)
        self._wake.set()

    def _note_unsupported(self, type_url: str) -> None:
        if type_url not in self._unsupported:
            self._unsupported.add(type_url)
            self._log("unsupported", logging.WARNING, type=type_url)

    async def _watch(self, session: Session) -> None:
        seen = -1
        while True:
            await session.wait_changed(seen)
            state = session.state
            if state is not None:
                seen = state.revision
                self._wake.set()

    async def _write_all(self, session: Session, reader: asyncio.Task[Any]) -> None:
        while not self._gone:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._write_what_is_due(session)
            except grpc.aio.InternalError:  # the call is over, and its cancellation has not arrived yet
                self._gone = True
                reader.cancel()

    async def _write_what_is_due(self, session: Session) -> None:
        while (state := session.state) is not None and (push := self._stream.next_push(state)) is not None:
            self._log_push(push)
            await self._context.write(push.body)
        if state is not None and not self._stream.in_flight:
            session.idle(state.revision)

    def _log_push(self, push: Push) -> None:
        if log.isEnabledFor(logging.INFO):
            facts = {"changed": len(push.changed), "removed": len(push.removed), "bytes": len(push.body), "revision": push.revision}
            self._log("push", type=push.type_url.short, **facts)

    def _log(self, event: str, level: int = logging.INFO, **facts: object) -> None:
        node = self._stream.node
        extra: Mapping[str, object] = {"proxy": node.id if node else "", "protocol": self._protocol, **facts}
        log.log(level, event, extra=extra)


async def _cancel_when(event: asyncio.Event, task: asyncio.Task[Any]) -> None:
    await event.wait()
    task.cancel()
