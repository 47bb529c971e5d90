"""The two servers that dialogues are held with: the state machine alone, and one behind a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.xds.ads import SERVICE
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import view_state
from tests.support.dialogues import parsed
from tests.support.xds_client import METHODS
from tests.support.xds_rig import XdsRig, sample, xds_rig

TIMEOUT = 10.0
_SECRET = TypeUrl.SECRET


class StateMachine:
    """A server that is the state machine alone, without a socket."""

    def __init__(self, protocol: XdsProtocol) -> None:
        self._protocol = protocol
        self._sharing = Sharing()
        self._stream = self._open()
        self._state = view_state(0, ())
        self._status = ""

    def _open(self) -> Any:
        return DeltaStream(self._sharing) if self._protocol == "delta" else SotwStream(self._sharing)

    async def serve(self, resources: list[XdsResource]) -> None:
        """See ``dialogues.Server``."""
        self._state = view_state(self._state.revision + 1, resources)

    async def request(self, message: Any, *, read: bool) -> None:  # noqa: ARG002  (it reads when it is told to)
        """See ``dialogues.Server``."""
        try:
            self._stream.on_request(message)
        except ProtocolViolation:
            self._status = grpc.StatusCode.INVALID_ARGUMENT.name

    async def responses(self) -> list[bytes]:
        """See ``dialogues.Server``."""
        found = []
        while not self._status and self._stream.node is not None and (body := self._stream.next_response(self._state)) is not None:
            found.append(body)
        return found

    async def break_off(self) -> None:
        """See ``dialogues.Server``."""
        self._stream.closed()
        self._stream = self._open()

    async def ended(self) -> str:
        """See ``dialogues.Server``."""
        return self._status


class Socket:
    """A server behind a socket. That it has nothing more to say is known when it has answered for a secret that exists only now."""

    def __init__(self, rig: XdsRig, protocol: XdsProtocol) -> None:
        self._rig = rig
        self._protocol: XdsProtocol = protocol
        self._channel = grpc.aio.insecure_channel(rig.address, options=(("grpc.use_local_subchannel_pool", 1),))
        self._call: Any = None
        self._resources: list[XdsResource] = []
        self._barriers: list[str] = []
        self._nonce = ""  # of the last answer for a secret
        self._heard: list[bytes] = []

    async def serve(self, resources: list[XdsResource]) -> None:
        """See ``dialogues.Server``."""
        self._resources = resources
        self._set()

    def _set(self) -> None:
        self._rig.serve(*self._resources, *(sample(_SECRET, name) for name in self._barriers))

    async def request(self, message: Any, *, read: bool) -> None:
        """See ``dialogues.Server``."""
        assert read, "what is read together cannot be said over a socket"
        if self._call is None:
            self._call = self._channel.stream_stream(f"/{SERVICE}/{METHODS[self._protocol]}")()  # type: ignore[call-arg]  # bytes need no serialisers
        await self._call.write(message.SerializeToString())

    async def responses(self) -> list[bytes]:
        """See ``dialogues.Server``."""
        if self._call is None:
            return []
        self._barriers.append(f"barrier-{len(self._barriers)}")
        self._set()
        await self._ask_for_secrets(self._barriers[-1:])
        found: list[bytes] = []
        async with asyncio.timeout(TIMEOUT):
            while True:
                body = await self._call.read()
                if not isinstance(body, bytes):
                    return found
                answer = parsed(self._protocol, body)
                if answer.type_url != _SECRET:
                    found.append(body)
                    continue
                self._nonce = answer.nonce
                await self._ask_for_secrets(())
                return found

    async def _ask_for_secrets(self, names: Any) -> None:
        """Ask for further secrets; with none, ACK the last answer."""
        message: Any
        if self._protocol == "delta":
            nonce = "" if names else self._nonce
            message = discovery_pb2.DeltaDiscoveryRequest(type_url=_SECRET, resource_names_subscribe=names, response_nonce=nonce)
        else:
            message = discovery_pb2.DiscoveryRequest(type_url=_SECRET, resource_names=self._barriers, response_nonce=self._nonce)
        await self._call.write(message.SerializeToString())

    async def break_off(self) -> None:
        """See ``dialogues.Server``."""
        await self.close()
        self._channel = grpc.aio.insecure_channel(self._rig.address, options=(("grpc.use_local_subchannel_pool", 1),))

    async def ended(self) -> str:
        """See ``dialogues.Server``."""
        async with asyncio.timeout(TIMEOUT):
            return str((await self._call.code()).name)

    async def close(self) -> None:
        """End the stream, and wait until the server has noticed."""
        if self._call is not None:
            self._call.cancel()
        await self._channel.close(None)
        self._call, self._nonce = None, ""
        await self._rig.discovery.wait_for(lambda: not any(session.open for session in self._rig.discovery.sessions))


@asynccontextmanager
async def socket(protocol: XdsProtocol) -> AsyncIterator[Socket]:
    """Run a server behind a socket."""
    async with xds_rig() as rig:
        server = Socket(rig, protocol)
        try:
            yield server
        finally:
            await server.close()
