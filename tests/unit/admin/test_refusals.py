"""Requests that cannot be served are told why; debug pages stay on the machine."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshctl_operator.admin.refusals import Handler, Refusal, is_local, keep_debug_local, say_why


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.3", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        (None, True),
        ("10.0.0.1", False),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", False),
    ],
)
def test_loopback_is_local(address: str | None, *, local: bool) -> None:
    """In all of its forms."""
    assert is_local(address) is local


async def page(_: web.Request) -> web.StreamResponse:
    """Answer."""
    return web.Response(text="shown")


async def teapot(_: web.Request) -> web.StreamResponse:
    """Refuse."""
    raise Refusal(418, "no coffee here", hint="ask for tea", kinds=["green"])


def client(*, remote_debug: bool, elsewhere: bool) -> TestClient[web.Request, web.Application]:
    """Return a client of an application with one debug page; ``elsewhere`` says that its requests come from another machine."""

    @web.middleware
    async def from_elsewhere(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request.clone(remote="10.1.2.3") if elsewhere else request)

    app = web.Application(middlewares=[from_elsewhere, say_why, keep_debug_local(remote_debug=remote_debug)])
    app.router.add_get("/debug/x", page)
    app.router.add_get("/metrics", page)
    app.router.add_get("/teapot", teapot)
    return TestClient(TestServer(app))


@pytest.mark.parametrize(
    ("remote_debug", "elsewhere", "status"), [(False, False, 200), (False, True, 403), (True, True, 200)], ids=["here", "there", "meant"]
)
async def test_debug_pages_are_for_this_machine(*, remote_debug: bool, elsewhere: bool, status: int) -> None:
    """Unless others are meant to see them; metrics are for everybody."""
    async with client(remote_debug=remote_debug, elsewhere=elsewhere) as http:
        async with http.get("/debug/x") as answer:
            assert answer.status == status
            if status == 403:
                body = await answer.json()
                assert "10.1.2.3" in body["error"]
                assert "--remote-debug" in body["hint"]
        async with http.get("/metrics") as answer:
            assert answer.status == 200


async def test_refusals_are_json_with_a_hint() -> None:
    """Also those of the framework."""
    async with client(remote_debug=False, elsewhere=False) as http:
        async with http.get("/teapot") as answer:
            assert (answer.status, await answer.json()) == (418, {"error": "no coffee here", "hint": "ask for tea", "kinds": ["green"]})
        async with http.get("/nowhere") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"] == "there is no page /nowhere"
        async with http.post("/metrics") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD" or "GET" in answer.headers["Allow"]
            assert "GET" in (await answer.json())["hint"]
