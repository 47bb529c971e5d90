"""Many clients at once, and clients that do not read, over a real socket: nobody is refused, and nobody waits for another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds import ads
from meshctl_operator.xds.ads import SERVICE
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_rig import XdsRig, mark_of, sample, xds_rig

STAMPEDE = 400
DEAF = 3
BIG = [sample(TypeUrl.CLUSTER, f"cluster-{index}", "x" * 2000) for index in range(2000)]  # four megabytes, more than a socket takes


@asynccontextmanager
async def streams(address: str, count: int, connections: int) -> AsyncIterator[list[Any]]:
    """Open streams that ask for all clusters, and that nobody reads unless the test does."""
    options = (
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.http2.bdp_probe", 0),  # or a client takes megabytes ahead that nobody reads
    )
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(connections)]
    method = f"/{SERVICE}/DeltaAggregatedResources"
    calls: list[Any] = [channels[number % connections].stream_stream(method)() for number in range(count)]  # type: ignore[call-arg]  # bytes need no serialisers

    async def ask(number: int) -> None:
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.CLUSTER, node={"id": f"client-{number}"})
        await calls[number].write(request.SerializeToString())

    try:
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(ask(number))
        yield calls
    finally:
        for call in calls:
            call.cancel()
        for channel in channels:
            await channel.close(None)


async def test_a_stampede_is_accepted() -> None:
    """When a fleet reconnects at once, each stream is accepted and answered; they share one response, and a change reaches all."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig, streams(rig.address, STAMPEDE, 40) as calls:
        first = await asyncio.gather(*[call.read() for call in calls])
        assert len(set(first)) == 1
        assert rig.server.streams == STAMPEDE
        rig.serve(sample(TypeUrl.CLUSTER, "a", "2"))
        second = await asyncio.gather(*[call.read() for call in calls])
        assert len(set(second)) == 1
        assert second[0] != first[0]


@pytest.mark.parametrize(
    "options",
    [ServerOptions(), ServerOptions(max_bytes_in_flight=1024 * 1024, write_patience=0.05)],
    ids=["default", "little-budget"],
)
async def test_clients_that_do_not_read_hold_up_nobody(options: ServerOptions) -> None:
    """Clients that do not read their stream keep nobody from big responses, even if theirs fill what may be in flight."""
    async with xds_rig(*BIG, options=options) as rig, streams(rig.address, DEAF, DEAF):
        await rig.discovery.wait_for(lambda: len(rig.discovery.sessions) == DEAF)
        probe = await rig.connect("delta")
        await probe.subscribe(TypeUrl.CLUSTER)
        await probe.wait_for(lambda: len(probe.names(TypeUrl.CLUSTER)) == len(BIG))
        for mark in range(5):
            rig.serve(*BIG, sample(TypeUrl.CLUSTER, "fresh", str(mark)))
            await rig.quiet(probe)
        assert mark_of(probe.resources[TypeUrl.CLUSTER]["fresh"]) == "4"
        assert _unread(rig) == DEAF


def _unread(rig: XdsRig) -> int:
    """Return how many streams have a response that is not even taken by the transport."""
    return sum(not session.pushes for session in rig.discovery.sessions)


async def test_a_client_that_does_not_read_is_let_go_after_a_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It would hold its response in memory for ever. One that reads, and is told nothing for long, stays."""
    monkeypatch.setattr(ads, "RELEASE_INTERVAL", 0.05)
    async with xds_rig(*BIG, options=ServerOptions(write_deadline=0.3)) as rig:
        probe = await rig.connect("delta")
        await probe.subscribe(TypeUrl.CLUSTER)
        await probe.wait_for(lambda: len(probe.names(TypeUrl.CLUSTER)) == len(BIG))
        async with streams(rig.address, 1, 1):
            await rig.discovery.wait_for(lambda: len(rig.discovery.sessions) == 2)
            await rig.discovery.wait_for(lambda: [session.open for session in rig.discovery.sessions] == [True, False])
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == ["stuck"]


async def test_clients_that_neither_read_nor_keep_the_protocol_are_let_go(caplog: pytest.LogCaptureFixture) -> None:
    """A stream with a stuck write ends at once when its client violates the protocol or wants nothing more, without an error of ours."""
    async with xds_rig(*BIG) as rig, streams(rig.address, 2, 2) as (violator, leaver):
        await rig.discovery.wait_for(lambda: len(rig.discovery.sessions) == 2)
        await violator.write(b"\xff")
        await leaver.done_writing()
        await rig.discovery.wait_for(lambda: not any(session.open for session in rig.discovery.sessions))
        assert _unread(rig) == 2
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.WARNING] == []
