"""Fixtures of the suites that run real Envoys."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.dev_mesh import DevMesh
from tests.support.envoy_versions import BINARIES


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DevMesh]:
    """Bookinfo with all its Envoys, once for each end of the supported versions and each module."""
    async with DevMesh(tmp_path_factory.mktemp(request.param), envoy=BINARIES[request.param]()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def plain(mesh: DevMesh) -> AsyncIterator[DevMesh]:
    """The running mesh without a scenario, and without one again afterwards."""
    yield mesh
    await mesh.clear()
