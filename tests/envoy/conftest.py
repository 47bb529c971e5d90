"""Fixtures of the suites that run real Envoys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from meshctl_operator.xds.resources import TypeUrl
from tests.support.dev_mesh import DevMesh
from tests.support.envoy_versions import BINARIES
from tests.support.served_config import differences, held_by_envoy


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevMesh]:
    """Bookinfo with all its Envoys, once for each end of the supported versions and each module."""
    async with DevMesh(tmp_path_factory.mktemp(request.param), envoy=BINARIES[request.param]()) as running:
        yield running
        assert not [event for event in running.events if event["event"] == "nack"]


@pytest_asyncio.fixture(loop_scope="module")
async def plain(mesh: DevMesh) -> AsyncIterator[DevMesh]:
    """The running mesh without a scenario. After each test every Envoy must run what it was served, and the scenario is taken away."""
    yield mesh
    try:
        await mesh.synced()
        for proxy in mesh.proxies():
            served, held = await mesh.served(proxy), held_by_envoy(await mesh.config_dump(proxy))
            del served[TypeUrl.ENDPOINT]  # shown without a version; the acceptance suite compares them
            assert not differences(served, held), proxy
    finally:
        await mesh.clear()
