"""Unit tests of the server around the streams: what it logs and counts. The protocol itself is tested in ``conformance``."""

from __future__ import annotations

import logging

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_client import XdsClient
from tests.support.xds_rig import sample, xds_rig


async def test_push_is_logged_as_an_event_without_content(caplog: pytest.LogCaptureFixture) -> None:
    """A push is one event with proxy, type and numbers; the content of a secret is nowhere in the log."""
    caplog.set_level(logging.DEBUG)
    async with xds_rig(sample(TypeUrl.SECRET, "cert", "sentinel")) as rig:
        client = await rig.connect("delta", node_id="web")
        await client.subscribe(TypeUrl.SECRET, "cert")
        await rig.discovery.wait_for(lambda: rig.discovery.acks)
    pushes = [vars(record) for record in caplog.records if record.getMessage() == "push"]
    facts = {key: pushes[0][key] for key in ("proxy", "protocol", "type", "changed", "removed", "revision", "bytes")}
    assert facts == {
        "proxy": "web",
        "protocol": "delta",
        "type": "SDS",
        "changed": 1,
        "removed": 0,
        "revision": 1,
        "bytes": client.log[0].size,
    }
    assert not any("sentinel" in str(vars(record)) for record in caplog.records)


async def test_open_streams_are_counted() -> None:
    """The server counts the streams that are open now."""
    async with xds_rig() as rig:
        assert rig.server.streams == 0
        async with XdsClient(rig.address) as client:
            await client.subscribe(TypeUrl.CLUSTER)
            await client.wait_for(lambda: client.log)
            assert rig.server.streams == 1
        await rig.discovery.wait_for(lambda: not rig.discovery.sessions[0].open)


async def test_server_may_be_started_again() -> None:
    """After a stop the same address can be served again, by the same object; stopping twice is no error."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        await rig.server.stop(0)
        await rig.server.stop(0)
        assert await rig.server.start(rig.address) == rig.address
        client = await rig.connect("delta")
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["a"])


async def test_address_of_another_machine_is_an_error_with_a_hint() -> None:
    """An address that cannot be bound is an error that names it."""
    async with xds_rig() as rig:
        with pytest.raises(MeshctlError, match=r"192\.0\.2\.1:15010") as caught:
            await AdsServer(rig.discovery).start("192.0.2.1:15010")
        assert caught.value.hint
