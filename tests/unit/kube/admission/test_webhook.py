"""The webhook as a task."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.kube.admission import webhook as module
from meshctl_operator.kube.admission.secrets import StoredMaterial
from meshctl_operator.kube.admission.webhook import Webhook, WebhookOptions
from tests.support.clocks import ManualClock
from tests.support.meshes import service, virtual_service
from tests.unit.kube.admission.test_facts import snapshot
from tests.unit.kube.admission.test_rotation import Cluster
from tests.unit.kube.admission.test_server import review

OPTIONS = WebhookOptions("meshctl", "mesh", "127.0.0.1", 0)


class Outage(Cluster):
    """A cluster whose API server is away for a while."""

    fails = 1

    def read(self) -> StoredMaterial | None:
        """Fail as often as was asked for."""
        if self.fails:
            self.fails -= 1
            raise ConnectionError("away")
        return super().read()


@asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[tuple[Webhook, asyncio.Queue[bool]]]:
    """Run a webhook; its looks arrive in the queue."""
    webhook, looks = Webhook(OPTIONS, cluster, cluster, ManualClock()), asyncio.Queue[bool]()
    task = asyncio.create_task(webhook.run(looks.put_nowait))
    try:
        yield webhook, looks
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def warnings_of(webhook: Webhook) -> Any:
    """Post a review of a route to the service ``reviews``; return the warnings."""
    url = f"https://127.0.0.1:{webhook.port}/validate"
    async with aiohttp.ClientSession() as session, session.post(url, data=review(virtual_service("a", "reviews")), ssl=False) as response:
        return (await response.json())["response"].get("warnings", [])


async def test_life() -> None:
    """It is trusted and answers after the first look, knows what was published before and after the start, and ends with its task."""
    cluster = Cluster()
    async with running(cluster) as (webhook, looks):
        assert webhook.address == f"127.0.0.1:{webhook.port}"
        with pytest.raises(ConnectionError):  # there is no certificate yet
            socket.create_connection(("127.0.0.1", webhook.port))
        webhook.publish(snapshot(service("ratings")).objects)
        assert await looks.get()
        assert len(cluster.writes) == 1
        assert len(await warnings_of(webhook)) == 1
        webhook.publish(snapshot(service("reviews")).objects)
        assert await warnings_of(webhook) == []
        port = webhook.port
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port))


async def test_the_api_server_is_away(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """It tries again, and says so."""
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    with caplog.at_level(logging.WARNING):
        async with running(Outage()) as (_, looks):
            assert [await looks.get(), await looks.get()] == [False, True]
    assert "webhook certificate" in caplog.text


async def test_the_webhook_is_installed_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is trusted soon, not at the next look of those that are a minute apart."""
    monkeypatch.setattr(module, "RETRY_AFTER", 0.0)
    cluster = Cluster(bundle=None)
    async with running(cluster) as (_, looks):
        assert not await looks.get()
        cluster.bundle = ""
        while not await looks.get():
            pass


def test_a_taken_port_is_an_error() -> None:
    """A webhook that cannot listen does not pretend to."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cluster = Cluster()
        with pytest.raises(MeshctlError):
            Webhook(WebhookOptions("meshctl", "mesh", "127.0.0.1", taken.getsockname()[1]), cluster, cluster, ManualClock())
