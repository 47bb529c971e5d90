"""Fixtures of the example's tests: all of bookinfo, started once for each module that asks, and a bare proxy."""

from collections.abc import Iterator

import pytest

from tests.unit.examples.bookinfo_processes import Bookinfo, Proxy, bookinfo, proxy


@pytest.fixture(scope="module")
def shared_books() -> Iterator[Bookinfo]:
    """All services, reviews in version 2."""
    with bookinfo("reviews-v2") as running:
        yield running


@pytest.fixture
def books(shared_books: Bookinfo) -> Iterator[Bookinfo]:
    """All services, with the proxy as a test would expect to find it: every route there, nothing canned, nothing seen."""
    routes = dict(shared_books.proxy.routes)
    shared_books.proxy.seen.clear()
    yield shared_books
    shared_books.proxy.routes = routes
    shared_books.proxy.canned.clear()


@pytest.fixture
def sidecar() -> Iterator[Proxy]:
    """A proxy that knows nobody yet."""
    with proxy() as between:
        yield between
