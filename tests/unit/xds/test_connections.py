"""Unit tests of one stream around its state machine: what happens although the client says nothing. The rest is tested in ``conformance``."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.budget import WriteBudget
from meshctl_operator.xds.connections import BIG_REQUEST, Connection
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.events import Overdue
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.readiness import Timing
from meshctl_operator.xds.resources import TypeUrl
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.xds_rig import sample, xds_rig

PROTOCOLS: tuple[XdsProtocol, ...] = ("sotw", "delta")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_time_of_what_waits_comes_by_itself(protocol: XdsProtocol) -> None:
    """Routes go out when their cluster took too long, and removed clusters go when they were out of use for long enough."""
    timing = Timing(drain=0.1, warming=0.1, whole=0.1)
    old = [sample(TypeUrl.CLUSTER, "old"), sample(TypeUrl.ROUTE, "r", "old")]
    async with xds_rig(*old, options=ServerOptions(timing=timing)) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await client.wait_for(lambda: "r" in client.names(TypeUrl.ROUTE))
        client.hold.add(TypeUrl.CLUSTER)
        before = client.resources[TypeUrl.ROUTE]["r"]
        rig.serve(sample(TypeUrl.CLUSTER, "new"), sample(TypeUrl.ROUTE, "r", "new"))
        await client.wait_for(lambda: client.resources[TypeUrl.ROUTE]["r"] != before)
        await rig.discovery.wait_for(lambda: rig.discovery.overdue)
        assert rig.discovery.overdue == [Overdue(TypeUrl.CLUSTER, "new", 0.1)]
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["new"])


class Reading:
    """A call whose next request is there already (``connections.Context``)."""

    def __init__(self, request: bytes) -> None:
        self.request = request

    async def read(self) -> bytes:
        """Return the request."""
        return self.request

    async def write(self, message: bytes) -> None:
        """Never called."""

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """Never called."""

    def peer(self) -> str:
        """Return some address."""
        return "ipv4:127.0.0.1:1"


@pytest.mark.parametrize(("size", "turns"), [(BIG_REQUEST, 8), (100, 1)], ids=["big", "small"])
async def test_big_requests_are_understood_one_by_one(size: int, turns: int) -> None:
    """Between two of them the loop has a turn, however many clients come back at once."""
    turn = 0
    understood: list[int] = []
    understanding = asyncio.Lock()

    def decode(data: bytes) -> object:
        understood.append(turn)
        return discovery_pb2.DeltaDiscoveryRequest(node={"id": f"n{len(data)}"}, type_url=TypeUrl.CLUSTER)

    async def count_turns() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count_turns())
    budget = WriteBudget(1, 1.0)
    streams = [
        Connection(MemoryDiscovery(), "delta", DeltaStream(), decode, Reading(b"x" * size), budget, 1, understanding) for _ in range(8)
    ]
    await asyncio.gather(*(stream._take_next() for stream in streams))
    counter.cancel()
    assert (len(understood), len(set(understood))) == (8, turns)


def test_what_is_big() -> None:
    """An ordinary request is not: it has some names and an ACK."""
    names = [f"outbound|9080|v{number}|service-{number}.default.svc.cluster.local" for number in range(100)]
    request = discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.ENDPOINT, resource_names_subscribe=names)
    assert request.ByteSize() < BIG_REQUEST
