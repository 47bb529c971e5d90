"""The gRPC server of the aggregated discovery service, on grpc.aio with bytes in and bytes out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.xds.budget import WriteBudget
from meshctl_operator.xds.connections import Connection, Context, StateMachine
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import Discovery, XdsProtocol
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream

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
        self._connections: set[Connection] = set()
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

    async def _serve_sotw(self, _: object, context: Context) -> None:
        decode = discovery_pb2.DiscoveryRequest.FromString
        await self._serve("sotw", SotwStream(self._sharing), decode, context)

    async def _serve_delta(self, _: object, context: Context) -> None:
        decode = discovery_pb2.DeltaDiscoveryRequest.FromString
        await self._serve("delta", DeltaStream(self._sharing), decode, context)

    async def _serve(self, protocol: XdsProtocol, stream: StateMachine, decode: Callable[[bytes], object], context: Context) -> None:
        if self._stopping:
            return
        connection = Connection(
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
