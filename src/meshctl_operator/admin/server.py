"""The admin HTTP server: ``/healthz``, ``/readyz``, ``/metrics``, ``/version`` and ``/debug/...``."""

from __future__ import annotations

import json
import logging
import os
import platform
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from meshctl_operator import __version__
from meshctl_operator.admin import pages
from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.controlplane.plane import ControlPlane

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

log = logging.getLogger("meshctl.admin")


class AdminServer:
    """Serves the pages of one control plane: ``await start("127.0.0.1:15014")``, later ``await stop()``."""

    def __init__(self, plane: ControlPlane, *, clock: Clock | None = None) -> None:
        self._plane = plane
        self._clock: Clock = clock or SystemClock()
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
        app = web.Application()
        routes: dict[str, Callable[[web.Request], object]] = {
            "/": self._index,
            "/version": lambda _: {"version": __version__, "python": platform.python_version()},
            "/debug/syncz": lambda _: [pages.sync_status(session) for session in self._plane.sessions],
            "/debug/connections": lambda _: [pages.connection(session, self._clock.monotonic()) for session in self._plane.sessions],
            "/debug/diagnostics": lambda _: [finding.to_json() for finding in self._plane.diagnostics()],
            "/debug/config_dump": self._config_dump,
        }
        for path, page in routes.items():
            app.router.add_get(path, _json_page(page))
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    def _index(self, request: web.Request) -> object:
        """Return the list of pages."""
        return sorted({resource.canonical for resource in request.app.router.resources()})

    def _config_dump(self, request: web.Request) -> object:
        """Return what the proxies named by ``?proxy=name.namespace`` should hold; without it, which proxies there are."""
        wanted = request.query.get("proxy")
        if wanted is None:
            return {"proxies": sorted({session.proxy_id for session in self._plane.sessions}), "hint": "add ?proxy=NAME.NAMESPACE"}
        for session in self._plane.sessions:
            if wanted in {session.proxy_id, session.node_id}:
                return pages.config_dump(session)
        known = sorted({session.proxy_id for session in self._plane.sessions})
        raise web.HTTPNotFound(
            text=json.dumps({"error": f'proxy "{wanted}" is not connected', "proxies": known}), content_type="application/json"
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        """Answer as long as the event loop turns."""
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        """Answer 200 when proxies may rely on what is served, else 503 with the reasons."""
        reasons = self._plane.not_ready_because()
        return web.Response(text="ok\n") if not reasons else web.Response(status=503, text="".join(f"{reason}\n" for reason in reasons))

    async def _metrics(self, _: web.Request) -> web.Response:
        """Answer the metrics in Prometheus' text format."""
        return web.Response(body=self._plane.telemetry.exposition(), headers={"Content-Type": METRICS_TYPE})


def _json_page(page: Callable[[web.Request], object]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return a handler that answers what the page returns, as JSON."""

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response(page(request), dumps=_dumps)

    return handler


def _dumps(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
