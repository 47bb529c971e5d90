"""What one replica tells the leader: what its streams acknowledged, as JSON over HTTP.

The leader asks for objects; the replica answers at once if it knows more than it said last, else when it does, or after a while.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

from aiohttp import web

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection

PATH: Final = "/acknowledgements"
GREETING: Final = "/replica"
"""Where a replica that starts says so to the leader."""

STARTING: Final = 503
"""The answer of a replica that serves nobody yet."""

PATIENCE: Final = 0.5
"""Seconds after which an answer is given even if there is no news: whoever asks knows then that we live."""

_MOST: Final = 16 * 1024 * 1024

Told = Callable[[Collection[ObjectKey]], Mapping[ObjectKey, Acknowledgements]]


def encoded_keys(keys: Iterable[ObjectKey]) -> list[list[str]]:
    """Return keys as JSON values."""
    return [[key.kind, key.namespace, key.name] for key in keys]


def encoded(said: Mapping[ObjectKey, Acknowledgements]) -> list[dict[str, Any]]:
    """Return what is known of objects as JSON values. Proxies that have an object and are there need no more than their name."""
    return [
        {
            "object": [key.kind, key.namespace, key.name],
            "generation": each.generation,
            "expected": sorted(each.expected),
            "missing": sorted(each.missing),
            "lost": sorted(each.lost),
            "rejections": [[rejection.proxy, rejection.resource, rejection.message] for rejection in each.rejections],
            "complete": each.complete,
        }
        for key, each in said.items()
    ]


def decoded(entries: Iterable[Mapping[str, Any]]) -> dict[ObjectKey, Acknowledgements]:
    """Return what a replica knows of objects. Raises KeyError, TypeError or ValueError for what is none of ``encoded``."""
    found = {}
    for entry in entries:
        kind, namespace, name = entry["object"]
        expected, lost = frozenset(map(str, entry["expected"])), frozenset(map(str, entry["lost"]))
        found[ObjectKey(kind, namespace, name)] = Acknowledgements(
            generation=int(entry["generation"]),
            expected=expected,
            acknowledged=(expected | lost) - frozenset(entry["missing"]),
            lost=lost,
            rejections=tuple(Rejection(*map(str, rejection)) for rejection in entry["rejections"]),
            complete=bool(entry["complete"]),
        )
    return found


class ReportServer:
    """Answers the leader. ``note`` says that there may be news."""

    def __init__(self, token: str, ready: Callable[[], bool], told: Told) -> None:
        self._token = token
        self._ready = ready
        self._told = told
        self.greeted: Callable[[], None] = lambda: None
        self._number = 0
        self._news = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def note(self) -> None:
        """Take note that something may be known that was not."""
        self._number += 1
        self._news.set()

    async def start(self, host: str, port: int = 0) -> str:
        """Listen (port 0: any free one) and return ``host:port``. Raises OSError."""
        application = web.Application(client_max_size=_MOST)
        application.router.add_post(PATH, self._answer)
        application.router.add_post(GREETING, self._greet)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        bound = runner.addresses[0]
        return f"[{bound[0]}]:{bound[1]}" if ":" in bound[0] else f"{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        self._news.set()
        if runner is not None:
            await runner.cleanup()

    def _knows_token(self, request: web.Request) -> bool:
        return hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {self._token}".encode())

    async def _greet(self, request: web.Request) -> web.Response:
        if not self._knows_token(request):
            return web.Response(status=401)
        self.greeted()
        return web.Response(status=204)

    async def _answer(self, request: web.Request) -> web.Response:
        if not self._knows_token(request):
            return web.Response(status=401)
        if not self._ready():
            return web.Response(status=STARTING)
        try:
            asked = await request.json()
            keys = [ObjectKey(kind, namespace, name) for kind, namespace, name in asked["objects"]]
            since = int(asked.get("since", -1))
        except (KeyError, TypeError, ValueError):
            return web.Response(status=400)
        if since == self._number:
            await self._wait()
        number = self._number
        return web.json_response({"number": number, "objects": encoded(self._told(keys))})

    async def _wait(self) -> None:
        self._news.clear()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._news.wait()
        except TimeoutError:
            return
