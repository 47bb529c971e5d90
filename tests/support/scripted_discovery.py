"""A Delta ADS server that says exactly what a test says, and records what the client answers: for facts about Envoy, not about our server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.resources import TypeUrl

TIMEOUT = 10.0
METHOD = "DeltaAggregatedResources"
SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class ScriptedDiscovery:
    """A server for one client; ``requests`` has all that the client has said, on all its streams."""

    def __init__(self) -> None:
        self.address = ""
        self.requests: list[Any] = []
        self._happened = asyncio.Condition()
        self._context: Any = None
        self._server: grpc.aio.Server | None = None
        self._responses = 0

    async def __aenter__(self) -> Self:
        await self._listen("127.0.0.1:0")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stop()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Be gone for the time of the block, and listen on the same address afterwards; the client finds its way back."""
        await self._stop()
        self.requests.clear()
        yield
        await self._listen(self.address)

    async def send(self, type_url: TypeUrl, resources: Mapping[str, Any], removed: Iterable[str] = (), version: str = "1") -> str:
        """Send a response with messages by resource name and with removed names; returns its nonce."""
        self._responses += 1
        nonce = f"nonce-{self._responses}"
        response = discovery_pb2.DeltaDiscoveryResponse(type_url=type_url, nonce=nonce, removed_resources=removed)
        for name, message in resources.items():
            resource = response.resources.add(name=name, version=version)
            resource.resource.Pack(message, deterministic=True)
        await self._context.write(response.SerializeToString())
        return nonce

    async def answered(self, nonce: str) -> str:
        """Wait for the ACK of a response or its NACK; returns the message of the NACK, empty for an ACK."""
        request = await self.asked(lambda request: request.response_nonce == nonce)
        return str(request.error_detail.message)

    async def tell(self, type_url: TypeUrl, resources: Mapping[str, Any], removed: Iterable[str] = (), version: str = "1") -> str:
        """Send a response and wait for its answer, as ``send`` and ``answered``."""
        return await self.answered(await self.send(type_url, resources, removed, version))

    async def asked(self, predicate: Callable[[Any], bool]) -> Any:
        """Return the first request of which the predicate holds, waiting for it if need be."""

        def found() -> list[Any]:
            return [request for request in self.requests if predicate(request)]

        async with asyncio.timeout(TIMEOUT), self._happened:
            await self._happened.wait_for(found)
        return found()[0]

    async def subscribed(self, type_url: TypeUrl, name: str = "") -> Any:
        """Wait for a subscription to a name; without a name for any request of the type."""
        return await self.asked(lambda request: request.type_url == type_url and (not name or name in request.resource_names_subscribe))

    async def _listen(self, address: str) -> None:
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        handler = grpc.stream_stream_rpc_method_handler(self._serve, request_deserializer=discovery_pb2.DeltaDiscoveryRequest.FromString)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        self.address = f"127.0.0.1:{server.add_insecure_port(address)}"
        await server.start()
        self._server = server

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(0.1)

    async def _serve(self, requests: AsyncIterator[Any], context: Any) -> None:
        self._context = context
        async for request in requests:
            async with self._happened:
                self.requests.append(request)
                self._happened.notify_all()
