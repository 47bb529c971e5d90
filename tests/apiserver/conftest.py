"""An API server as users have it: with our CRDs, installed by ``kubectl apply``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api_server import ApiServer

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server with our CRDs for all tests that leave it as it was."""
    with ApiServer(tmp_path_factory.mktemp("our-apiserver")) as server:
        server.kubectl("apply", "-f", str(CRDS))
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        yield server


@pytest.fixture
def users_server(our_server: ApiServer) -> Iterator[ApiServer]:
    """The API server with our CRDs and without objects of ours."""
    our_server.clear()
    yield our_server
    our_server.clear()
