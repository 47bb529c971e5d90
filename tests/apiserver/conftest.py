"""Fixtures of the suites that run a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.api_server import ApiServer, api_server


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API server with the CRDs of all routing kinds, for all tests that leave it as it was."""
    with api_server(tmp_path_factory.mktemp("apiserver")) as server:
        yield server


@pytest.fixture
def server(running_server: ApiServer) -> Iterator[ApiServer]:
    """The API server without objects of ours."""
    running_server.clear()
    yield running_server
    running_server.clear()
