"""Fixtures of the suites in which pods are network namespaces."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.bookinfo_pods import BookinfoPods


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running() -> AsyncIterator[BookinfoPods]:
    """Bookinfo as pods, once for all tests. In the end no proxy must have refused anything."""
    async with BookinfoPods() as bookinfo:
        yield bookinfo
        assert not [event for event in bookinfo.cluster.events if event["event"] == "nack"]


@pytest_asyncio.fixture(loop_scope="session")
async def bookinfo(running: BookinfoPods) -> AsyncIterator[BookinfoPods]:
    """The running example without a scenario; the scenario of a test is taken away after it."""
    yield running
    await running.clear()
