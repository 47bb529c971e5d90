"""The admin HTTP server: ``/healthz``, ``/readyz``, ``/metrics``, ``/version`` and ``/debug/...``."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from meshctl_operator import __version__
from meshctl_operator.admin.debug import DebugPages
from meshctl_operator.admin.refusals import keep_debug_local, say_why
from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.controlplane.plane import ControlPlane

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

LARGE: Final = 100
"""Rows from which on a page is turned into text by another thread."""

PAGES: Final = {
    "/healthz": "200 as long as the event loop turns",
    "/readyz": "200 while proxies may rely on what is served, else 503 with the reasons",
    "/metrics": "metrics for Prometheus",
    "/version": "version of the control plane and of Python",
    "/debug/connections": "who is connected (?proxyID=)",
    "/debug/syncz": "what each proxy has accepted of what it should hold (?proxyID=)",
    "/debug/config_dump": "everything that one proxy should hold, secrets without their bodies (?proxyID=)",
    "/debug/graph": "which objects a resource was computed from, and why it was computed last (?resource=)",
    "/debug/diagnostics": "the findings that hold now",
    "/debug/quarantine": "versions of resources that proxies reject, and what they are served instead",
}
"""What there is, and what it takes."""


class AdminServer:
    """Serves the pages of one control plane: ``await start("127.0.0.1:15014")``, later ``await stop()``."""

    def __init__(self, plane: ControlPlane, *, clock: Clock | None = None, remote_debug: bool = False) -> None:
        """Prepare the pages; ``remote_debug`` shows the debug pages to other machines as well."""
        self._plane = plane
        self._debug = DebugPages(plane, clock or SystemClock())
        self._remote_debug = remote_debug
        self._runner: web.AppRunner | None = None

    async def start(self, address: str) -> str:
        """Listen on ``host:port`` (port 0: any free one) and return the address that was bound. Raises MeshctlError if it is taken."""
        host, _, port = address.rpartition(":")
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host.strip("[]") or "127.0.0.1", int(port), reuse_port=False)
            await site.start()
        except (OSError, ValueError) as error:
            await runner.cleanup()
            why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
            raise MeshctlError(
                f"cannot listen for HTTP on {address}: {why}", hint="choose another address, or port 0 for any free port"
            ) from error
        self._runner = runner
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        return f"{shown}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def application(self) -> web.Application:
        """Return the routes, for a server or a test."""
        app = web.Application(middlewares=[say_why, keep_debug_local(remote_debug=self._remote_debug)])
        pages: dict[str, Callable[[Mapping[str, str]], Awaitable[object]]] = {
            "/": _index,
            "/version": _version,
            "/debug/connections": self._debug.connections,
            "/debug/syncz": self._debug.syncz,
            "/debug/config_dump": self._debug.config_dump,
            "/debug/graph": self._debug.graph,
            "/debug/diagnostics": self._debug.diagnostics,
            "/debug/quarantine": self._debug.quarantine,
        }
        for path, page in pages.items():
            app.router.add_get(path, _json_page(page))
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        reasons = self._plane.not_ready_because()
        return web.Response(text="ok\n") if not reasons else web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._plane.telemetry.exposition(), headers={"Content-Type": METRICS_TYPE})


async def _index(_: Mapping[str, str]) -> object:
    return PAGES


async def _version(_: Mapping[str, str]) -> object:
    return {"version": __version__, "python": platform.python_version()}


def _json_page(page: Callable[[Mapping[str, str]], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that answers what the page returns, as JSON. Text is made from it beside the loop where there is much of it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        found = await page(request.query)
        small = isinstance(found, list) and len(found) < LARGE
        text = _dumps(found) if small else await asyncio.to_thread(_dumps, found)
        return web.Response(text=text, content_type="application/json")

    return handler


def _dumps(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
