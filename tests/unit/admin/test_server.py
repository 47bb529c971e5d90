"""The pages over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from meshctl_operator import __version__
from meshctl_operator.admin.server import AdminServer
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.resources import TypeUrl
from tests.support.meshes import service
from tests.support.xds_client import XdsClient

CLUSTER = "outbound|9080||reviews.default.svc.cluster.local"


@asynccontextmanager
async def running() -> AsyncIterator[tuple[ControlPlane, str]]:
    """Run a control plane with its pages; yields it and the base URL."""
    async with ControlPlane(Settings(drain_grace=0.1), [MemorySource(service("reviews"))]) as plane:
        admin = AdminServer(plane)
        bound = await admin.start("127.0.0.1:0")
        try:
            yield plane, f"http://{bound}"
        finally:
            await admin.stop()


async def test_health_readiness_and_version() -> None:
    """Readiness follows the control plane."""
    async with running() as (plane, url), aiohttp.ClientSession(url) as http:
        await plane.settled()
        for path in ("/healthz", "/readyz"):
            async with http.get(path) as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
        async with http.get("/version") as answer:
            assert (await answer.json())["version"] == __version__
        async with http.get("/") as answer:
            assert "/debug/config_dump" in await answer.json()
        await plane.stop()
        async with http.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "draining\n")


async def test_metrics_are_for_prometheus() -> None:
    """The type of the content says so."""
    async with running() as (plane, url), aiohttp.ClientSession(url) as http:
        await plane.settled()
        async with http.get("/metrics") as answer:
            assert answer.content_type == "text/plain"
            assert "meshctl_objects 1.0" in await answer.text()


async def test_debug_pages_follow_connected_proxies() -> None:
    """Who is connected, what it holds, what it should hold."""
    async with running() as (plane, url), aiohttp.ClientSession(url) as http:
        node_id = "sidecar~10.0.0.1~a.b~b.svc.cluster.local"
        async with XdsClient(await plane.serve("127.0.0.1:0"), node_id=node_id) as envoy:
            await envoy.follow()
            await plane.settled()
            await envoy.wait_for(lambda: envoy.resources[TypeUrl.LISTENER])
            await plane.settled()
            async with http.get("/debug/connections") as answer:
                (row,) = await answer.json()
                assert (row["proxy"], row["node"]) == ("a.b", node_id)
            async with http.get("/debug/syncz") as answer:
                (row,) = await answer.json()
                assert row["types"]["CDS"]["status"] == "SYNCED"
            for page in ("/debug/diagnostics", "/debug/quarantine"):
                async with http.get(page) as answer:
                    assert await answer.json() == []
            for parameter, value in (("proxy", "a.b"), ("proxyID", "a.b"), ("proxyID", node_id)):
                async with http.get("/debug/config_dump", params={parameter: value}) as answer:
                    dump = await answer.json()
                    assert CLUSTER in {entry["name"] for entry in dump["resources"]["CDS"]}
            async with http.get("/debug/graph", params={"resource": CLUSTER}) as answer:
                (found,) = [entry for entry in await answer.json() if entry["type"] == "CDS"]
                assert found["proxies"] == ["a.b"]
                assert "Service/default/reviews" in found["objects"]
                assert found["because"]


@pytest.mark.parametrize("address", ["taken", "127.0.0.1:x"])
async def test_an_address_that_cannot_be_used_is_said(address: str) -> None:
    """With the way out."""
    async with running() as (plane, url):
        with pytest.raises(MeshctlError, match="cannot listen") as caught:
            await AdminServer(plane).start(url.removeprefix("http://") if address == "taken" else address)
        assert caught.value.hint
