"""Connections below the streams: pings of clients, and the age at which connections end. Frame by frame, with a client of our own."""

from __future__ import annotations

import asyncio
import struct
import time
from contextlib import suppress
from typing import Final

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.ads import SERVICE
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.resources import TypeUrl
from tests.support.load.frames import ConnectionEnded, GrpcCall, frame, opening
from tests.support.xds_rig import XdsRig, sample, xds_rig

TIMEOUT = 10.0
PINGS = 200
"""gRPC gives a client two pings in five minutes, unless it is told otherwise, and then ends the connection."""
CROWD = 24
AGE = 1.0
LEAST_SPREAD = AGE / 20
"""gRPC varies the age by a tenth in either direction; that of two dozen connections differs by more than a quarter of the whole range."""
_PING: Final = 0x6
_FRAME_HEADER: Final = 9


class RawClient:
    """One connection with one Delta stream; what comes in is read by ``read``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str) -> None:
        self._reader, self._writer = reader, writer
        self._call = GrpcCall(opening(authority, f"/{SERVICE}/DeltaAggregatedResources"))
        self._heard = b""
        self.pongs = 0
        self.messages = 0

    @classmethod
    async def connect(cls, rig: XdsRig, number: int = 0) -> RawClient:
        """Return a client that has asked for all clusters."""
        host, _, port = rig.address.rpartition(":")
        client = cls(*await asyncio.open_connection(host, int(port)), rig.address)
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.CLUSTER, node={"id": f"client-{number}"})
        client._call.send(request.SerializeToString())
        client._writer.write(client._call.take_output())
        return client

    def ping(self, count: int) -> None:
        """Send that many pings at once."""
        self._writer.write(b"".join(frame(_PING, 0, 0, struct.pack(">Q", number)) for number in range(count)))

    async def read(self) -> None:
        """Take what comes next. Raises ConnectionEnded when the server ends the stream or the connection."""
        data = await self._reader.read(1 << 16)
        if not data:
            raise ConnectionEnded("the server closed the connection")
        self._count_pongs(data)
        self.messages += len(self._call.receive(data))
        self._writer.write(self._call.take_output())

    def _count_pongs(self, data: bytes) -> None:
        self._heard += data
        while len(self._heard) >= _FRAME_HEADER and len(self._heard) >= (size := _FRAME_HEADER + int.from_bytes(self._heard[:3])):
            kind, flags = self._heard[3], self._heard[4]
            self.pongs += kind == _PING and bool(flags & 1)
            self._heard = self._heard[size:]

    async def ended(self) -> float:
        """Return when the server ends it (monotonic clock)."""
        try:
            while True:
                await self.read()
        except (ConnectionEnded, ConnectionError):
            return time.monotonic()

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def test_pings_of_clients_are_not_punished() -> None:
    """Envoys ping as often as their bootstrap says, also while there is nothing to tell; the stream goes on."""
    async with asyncio.timeout(TIMEOUT), xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await RawClient.connect(rig)
        while client.messages < 1:
            await client.read()
        client.ping(PINGS)
        while client.pongs < PINGS:
            await client.read()
        rig.serve(sample(TypeUrl.CLUSTER, "a", "2"))
        while client.messages < 2:
            await client.read()
        await client.close()


async def test_connections_that_came_at_once_do_not_go_at_once() -> None:
    """Connections past their age are asked to go, each at a time of its own, so that a fleet does not come back in one moment."""
    options = ServerOptions(max_connection_age=AGE, max_connection_grace=0.1)
    async with asyncio.timeout(TIMEOUT), xds_rig(sample(TypeUrl.CLUSTER, "a"), options=options) as rig:
        start = time.monotonic()
        clients = [await RawClient.connect(rig, number) for number in range(CROWD)]
        ends = await asyncio.gather(*[client.ended() for client in clients])
        await asyncio.gather(*[client.close() for client in clients])
        await rig.discovery.wait_for(lambda: not any(session.open for session in rig.discovery.sessions))
    assert all(client.messages for client in clients)
    assert min(ends) - start >= AGE * 0.85
    assert max(ends) - min(ends) >= LEAST_SPREAD


@pytest.mark.parametrize("age", [None, 3600.0])
async def test_connections_that_are_young_stay(age: float | None) -> None:
    """An age that is far away, or none, changes nothing."""
    async with asyncio.timeout(TIMEOUT), xds_rig(sample(TypeUrl.CLUSTER, "a"), options=ServerOptions(max_connection_age=age)) as rig:
        client = await RawClient.connect(rig)
        while client.messages < 1:
            await client.read()
        client.ping(1)
        while client.pongs < 1:
            await client.read()
        await client.close()
