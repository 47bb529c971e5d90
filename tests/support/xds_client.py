"""An xDS client for tests, SotW or Delta, that keeps what it is told and can behave like Envoy.

``async with XdsClient(address) as client`` opens a stream. By default each response is ACKed at once; ``hold`` leaves responses of a type to
the test, ``reject`` decides about NACKs. ``follow`` subscribes like an Envoy: clusters, the endpoints they need, listeners once the
clusters are warm, then routes and secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.json_format import ParseDict
from google.rpc import status_pb2

from meshctl_operator.xds.ads import SERVICE
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_references import references

MESSAGES: Mapping[TypeUrl, Any] = {
    TypeUrl.CLUSTER: cluster_pb2.Cluster,
    TypeUrl.ENDPOINT: endpoint_pb2.ClusterLoadAssignment,
    TypeUrl.LISTENER: listener_pb2.Listener,
    TypeUrl.ROUTE: route_pb2.RouteConfiguration,
    TypeUrl.VIRTUAL_HOST: route_components_pb2.VirtualHost,
    TypeUrl.SECRET: secret_pb2.Secret,
}
METHODS: Mapping[XdsProtocol, str] = {"sotw": "StreamAggregatedResources", "delta": "DeltaAggregatedResources"}
INVALID_ARGUMENT = 3
TIMEOUT = 10.0


@dataclass(frozen=True)
class Received:
    """One response: what was in it and how big it was. ``versions`` is empty in SotW, whose resources have none of their own."""

    type_url: TypeUrl
    nonce: str
    version_info: str
    resources: Mapping[str, Any]
    versions: Mapping[str, str]
    removed: tuple[str, ...]
    size: int

    @property
    def names(self) -> list[str]:
        """The sorted names of the resources in the response."""
        return sorted(self.resources)


@dataclass
class Held:
    """What the client knows of one type."""

    names: set[str] = field(default_factory=set)
    wildcard: bool = False
    subscribed: bool = False
    resources: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    version_info: str = ""
    nonce: str = ""


class XdsClient:
    """See the module. ``log`` has every response in order, ``sent`` counts the requests by type."""

    def __init__(
        self,
        address: str,
        protocol: XdsProtocol = "delta",
        *,
        node_id: str = "test-proxy",
        metadata: Mapping[str, Any] | None = None,
        locality: Mapping[str, str] | None = None,
    ) -> None:
        self.protocol: XdsProtocol = protocol
        self.log: list[Received] = []
        self.unanswered: list[Received] = []
        self.sent: dict[TypeUrl, int] = dict.fromkeys(TypeUrl, 0)
        self.held: dict[TypeUrl, Held] = {type_url: Held() for type_url in TypeUrl}
        self.hold: set[TypeUrl] = set()
        self.reject: Callable[[Received], str | None] = lambda _: None
        self.status: grpc.StatusCode | None = None
        self.details = ""
        self.node = ParseDict({"id": node_id, "metadata": metadata or {}, "locality": locality or {}}, base_pb2.Node())
        self._address = address
        self._channel: Any = None  # the stubs of grpc.aio ask for serialisers that bytes do not need
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._writing = asyncio.Lock()
        self._first = True  # the next request carries the node
        self._following = False
        self._followed: dict[TypeUrl, set[str]] = {type_url: set() for type_url in TypeUrl}
        self._warming: set[str] = set()

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    @property
    def resources(self) -> Mapping[TypeUrl, Mapping[str, Any]]:
        """The decoded messages that the client holds, by type and name."""
        return {type_url: held.resources for type_url, held in self.held.items()}

    @property
    def versions(self) -> Mapping[TypeUrl, Mapping[str, str]]:
        """The versions of what the client holds, by type and name; Delta only."""
        return {type_url: held.versions for type_url, held in self.held.items()}

    @property
    def bytes_received(self) -> int:
        """How many bytes of responses arrived, on all streams."""
        return sum(received.size for received in self.log)

    def virtual_hosts(self, route: str) -> dict[str, Any]:
        """Return the virtual hosts of a route configuration by name, whether it is whole or split."""
        whole = {host.name: host for host in self.resources[TypeUrl.ROUTE][route].virtual_hosts}
        split = self.resources[TypeUrl.VIRTUAL_HOST].items()
        return whole | {name.removeprefix(f"{route}/"): host for name, host in split if name.rpartition("/")[0] == route}

    def names(self, type_url: TypeUrl) -> list[str]:
        """Return the sorted names that the client holds of a type."""
        return sorted(self.held[type_url].resources)

    def responses(self, type_url: TypeUrl) -> list[Received]:
        """Return the responses of a type, in order."""
        return [received for received in self.log if received.type_url is type_url]

    async def connect(self) -> None:
        """Open a stream; nothing is sent before the first subscription, unless there are some of a stream before."""
        self._channel = grpc.aio.insecure_channel(self._address, options=(("grpc.max_receive_message_length", -1),))
        self._call = self._channel.stream_stream(f"/{SERVICE}/{METHODS[self.protocol]}")()
        self.status = None
        self._reader = asyncio.create_task(self._read_all(self._call))
        known = [type_url for type_url in TypeUrl if self.held[type_url].subscribed]
        self._first = True
        for type_url in known:
            await self._resubscribe(type_url)

    async def close(self) -> None:
        """End the stream and the connection; what the client holds stays."""
        reader, self._reader = self._reader, None
        if self._call is not None:
            self._call.cancel()
        if reader is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        if self._channel is not None:
            await self._channel.close()
        self.unanswered.clear()

    async def finish(self) -> None:
        """Half-close the stream, as a client does that wants nothing more."""
        await self._call.done_writing()

    async def reconnect(self, address: str | None = None) -> None:
        """Break the stream and open another one as Envoy does: all subscriptions again, with what is held."""
        await self.close()
        self._address = address or self._address
        await self.connect()

    async def subscribe(self, type_url: TypeUrl, *names: str) -> None:
        """Want these names too; without names, everything (legacy wildcard)."""
        held = self.held[type_url]
        held.wildcard |= not names or "*" in names
        held.names |= set(names) - {"*"}
        held.subscribed = True
        if self.protocol == "delta":
            await self.send_delta(type_url, subscribe=names)
        else:
            await self.send_sotw(type_url)

    async def unsubscribe(self, type_url: TypeUrl, *names: str) -> None:
        """Do not want these names any more, and forget them."""
        held = self.held[type_url]
        held.names -= set(names)
        held.wildcard &= "*" not in names
        if not held.wildcard:
            self._forget(type_url, [name for name in held.resources if name not in held.names])
        if self.protocol == "delta":
            await self.send_delta(type_url, unsubscribe=names)
        else:
            await self.send_sotw(type_url)

    async def ack(self, received: Received) -> None:
        """Accept a response that is held."""
        await self._answer(received, None)

    async def nack(self, received: Received, message: str) -> None:
        """Reject a response that is held."""
        await self._answer(received, message)

    async def send_delta(
        self,
        type_url: TypeUrl | str,
        *,
        subscribe: Iterable[str] = (),
        unsubscribe: Iterable[str] = (),
        initial: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str | None = None,
    ) -> None:
        """Write a DeltaDiscoveryRequest, as it is."""

        def request() -> Any:
            return discovery_pb2.DeltaDiscoveryRequest(
                type_url=type_url,
                resource_names_subscribe=subscribe,
                resource_names_unsubscribe=unsubscribe,
                initial_resource_versions=initial or {},
                response_nonce=nonce,
            )

        await self._send(type_url, request, error)

    async def send_sotw(
        self,
        type_url: TypeUrl | str,
        names: Iterable[str] | None = None,
        *,
        nonce: str | None = None,
        error: str | None = None,
    ) -> None:
        """Write a DiscoveryRequest, as it is; names and nonce are those of now unless given."""
        known = type_url if isinstance(type_url, TypeUrl) else None

        def request() -> Any:
            held = self.held[known] if known else Held()
            return discovery_pb2.DiscoveryRequest(
                type_url=type_url,
                resource_names=self._wanted(known) if names is None and known else names or (),
                response_nonce=held.nonce if nonce is None else nonce,
                version_info=held.version_info,
            )

        await self._send(type_url, request, error)

    async def send_without_node(self, type_url: str) -> None:
        """Write a request that has nothing but a type, also as the first one of a stream."""
        request = discovery_pb2.DeltaDiscoveryRequest if self.protocol == "delta" else discovery_pb2.DiscoveryRequest
        async with self._writing:
            await self._call.write(request(type_url=type_url).SerializeToString())

    async def wait_for(self, predicate: Callable[[], object], timeout: float = TIMEOUT) -> None:  # noqa: ASYNC109  (a test states its deadline where it waits)
        """Return when the predicate holds; it is tried after each response and at the end of the stream."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: bool(predicate()))

    async def follow(self) -> None:
        """Behave like Envoy from now on: subscribe to clusters, and to all that they and the listeners need."""
        self._following = True
        await self.subscribe(TypeUrl.CLUSTER)

    async def _send(self, type_url: str, build: Callable[[], Any], error: str | None) -> None:
        """Write one request after the other; what is in it is decided when its turn has come."""
        async with self._writing:
            request = build()
            if self._first:
                request.node.CopyFrom(self.node)
                self._first = False
            if error is not None:
                request.error_detail.CopyFrom(status_pb2.Status(code=INVALID_ARGUMENT, message=error))
            if isinstance(type_url, TypeUrl):
                self.sent[type_url] += 1
            await self._call.write(request.SerializeToString())

    def _wanted(self, type_url: TypeUrl) -> list[str]:
        held = self.held[type_url]
        named = sorted(held.names)
        return ["*", *named] if held.wildcard and named else named

    async def _resubscribe(self, type_url: TypeUrl) -> None:
        held = self.held[type_url]
        held.nonce = ""
        if self.protocol == "delta":
            await self.send_delta(type_url, subscribe=self._wanted(type_url), initial=held.versions)
        else:
            await self.send_sotw(type_url)

    async def _read_all(self, call: Any) -> None:
        try:
            async for data in call:
                await self._receive(data)
            self.status = await call.code()
        except grpc.aio.AioRpcError as error:
            self.status, self.details = error.code(), error.details() or ""
        except asyncio.InvalidStateError:  # the stream ended while a response was being answered
            self.status = await call.code()
        async with self._changed:
            self._changed.notify_all()

    async def _receive(self, data: bytes) -> None:
        received = _read_delta(data) if self.protocol == "delta" else _read_sotw(data)
        self.log.append(received)
        held = self.held[received.type_url]
        held.nonce = received.nonce
        reason = self.reject(received)
        if reason is None:
            warming = self._apply(received)
            if self._following:
                await self._follow_up(received, warming)
        if received.type_url in self.hold or (received.type_url is TypeUrl.CLUSTER and self._warming and reason is None):
            self.unanswered.append(received)
        else:
            await self._answer(received, reason)
        if self._following:
            await self._finish_warming()
        async with self._changed:
            self._changed.notify_all()

    async def _answer(self, received: Received, reason: str | None) -> None:
        if received in self.unanswered:
            self.unanswered.remove(received)
        if self.protocol == "delta":
            await self.send_delta(received.type_url, nonce=received.nonce, error=reason)
        else:
            if reason is None:
                self.held[received.type_url].version_info = received.version_info
            await self.send_sotw(received.type_url, nonce=received.nonce, error=reason)

    def _apply(self, received: Received) -> list[str]:
        """Keep what a response says, and return the names whose content changed."""
        held = self.held[received.type_url]
        changed = [name for name, message in received.resources.items() if held.resources.get(name) != message]
        if self.protocol == "sotw" and received.type_url.full_state:
            self._forget(received.type_url, [name for name in held.resources if name not in received.resources])
        self._forget(received.type_url, received.removed)
        wanted = {name for name in received.resources if held.wildcard or name in held.names}
        held.resources.update({name: received.resources[name] for name in wanted})
        held.versions.update({name: version for name, version in received.versions.items() if name in wanted})
        return changed

    def _forget(self, type_url: TypeUrl, names: Iterable[str]) -> None:
        held = self.held[type_url]
        for name in names:
            held.resources.pop(name, None)
            held.versions.pop(name, None)

    async def _follow_up(self, received: Received, changed: list[str]) -> None:
        """Do what Envoy does before it ACKs: subscribe to what is referred to, and let updated clusters warm."""
        match received.type_url:
            case TypeUrl.CLUSTER:
                needed = {name: references(received.resources[name]) for name in changed}
                self._warming |= {eds for found in needed.values() for type_url, eds in found if type_url is TypeUrl.ENDPOINT}
                await self._want(TypeUrl.ENDPOINT, again=bool(self._warming))
                await self._want(TypeUrl.SECRET)
            case TypeUrl.ENDPOINT:
                self._warming -= {*received.resources, *received.removed}
            case TypeUrl.LISTENER:
                await self._want(TypeUrl.ROUTE)
                await self._want(TypeUrl.SECRET)
            case TypeUrl.ROUTE if any(route.HasField("vhds") for route in received.resources.values()):
                if not self.held[TypeUrl.VIRTUAL_HOST].subscribed:  # one subscription for all route configurations
                    await self.subscribe(TypeUrl.VIRTUAL_HOST)
            case _:
                pass

    async def _want(self, type_url: TypeUrl, *, again: bool = False) -> None:
        """Subscribe to exactly what the clusters and listeners refer to; ``again`` asks in SotW for what is there already."""
        users = [*self.resources[TypeUrl.CLUSTER].values(), *self.resources[TypeUrl.LISTENER].values()]
        needed = {name for message in users for found, name in references(message) if found is type_url}
        held = self.held[type_url]
        followed = self._followed[type_url]  # what the test subscribed by itself is its own business
        gone = followed - needed if type_url is not TypeUrl.ROUTE else set()  # a drained listener keeps its routes
        self._followed[type_url] = (followed - gone) | needed
        self._warming -= gone
        if new := needed - held.names:
            if gone:
                held.names -= gone
                self._forget(type_url, gone)
                if self.protocol == "delta":
                    await self.send_delta(type_url, unsubscribe=sorted(gone))
            await self.subscribe(type_url, *sorted(new))
        elif gone:
            await self.unsubscribe(type_url, *sorted(gone))
        elif again and needed and self.protocol == "sotw":
            await self.send_sotw(type_url)

    async def _finish_warming(self) -> None:
        if self._warming:
            return
        for received in [entry for entry in self.unanswered if entry.type_url not in self.hold]:
            await self._answer(received, None)
        if self.responses(TypeUrl.CLUSTER) and not self.held[TypeUrl.LISTENER].subscribed:
            await self.subscribe(TypeUrl.LISTENER)


def _read_delta(data: bytes) -> Received:
    response = discovery_pb2.DeltaDiscoveryResponse.FromString(data)
    type_url = TypeUrl(response.type_url)
    resources = {entry.name: _decode(type_url, entry.resource.value) for entry in response.resources}
    versions = {entry.name: entry.version for entry in response.resources}
    removed = tuple(response.removed_resources)
    return Received(type_url, response.nonce, response.system_version_info, resources, versions, removed, len(data))


def _read_sotw(data: bytes) -> Received:
    response = discovery_pb2.DiscoveryResponse.FromString(data)
    type_url = TypeUrl(response.type_url)
    messages = [_decode(type_url, entry.value) for entry in response.resources]
    name = "cluster_name" if type_url is TypeUrl.ENDPOINT else "name"
    resources = {getattr(message, name): message for message in messages}
    return Received(type_url, response.nonce, response.version_info, resources, {}, (), len(data))


def _decode(type_url: TypeUrl, body: bytes) -> Any:
    return MESSAGES[type_url].FromString(body)
