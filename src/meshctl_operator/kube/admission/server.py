"""The webhook as an HTTPS server, with a thread and a loop of its own: it answers while the control plane compiles."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.admission.certificates import Material
from meshctl_operator.kube.admission.facts import MeshFacts, NoFacts
from meshctl_operator.kube.admission.review import Ours, WebhookError, answer, everything

if TYPE_CHECKING:
    from aiohttp import web

PATH: Final = "/validate"
"""Where reviews are posted."""

_MOST_BYTES: Final = 8 * 2**20  # an object of 1.5 MB, twice, with room for escapes
_START_TIMEOUT: Final = 10.0

Objects = Mapping[ObjectKey, ConfigObject[Any]]
"""The objects of a registry snapshot: immutable, so any thread may read them."""

log = logging.getLogger("meshctl.kube.admission")


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound (port 0: to a free one) and not open yet. Raises MeshctlError if the port is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise MeshctlError(f"the webhook cannot listen on {host}:{port}: {error}", hint="choose another port") from error
    return bound


class AdmissionServer:
    """Serves ``POST /validate`` and ``GET /healthz``. ``start`` and ``stop`` block for a moment; every method is for any thread.

    Before anything is published objects are judged each by itself.

    Args:
        bound: where to listen; the server closes it in the end.
        material: the first certificate.
        domain: the domain of the cluster.
        ours: which objects are judged, by their metadata; all others are allowed.
    """

    def __init__(self, bound: socket.socket, material: Material, *, domain: str = "cluster.local", ours: Ours = everything) -> None:
        self._bound = bound
        self._ours = ours
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.use(material)
        self._facts = MeshFacts(domain=domain)
        self._published: Objects | None = None
        self._followed: Objects | None = None
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._news: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start serving. Raises MeshctlError if that cannot be."""
        self._started.clear()
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)
        self._thread.start()
        if not self._started.wait(_START_TIMEOUT):
            raise MeshctlError(f"the webhook did not start within {_START_TIMEOUT:g} s")
        if self._failure is not None:
            raise MeshctlError(f"the webhook cannot listen: {self._failure}", hint="choose another port")

    def stop(self) -> None:
        """Stop serving, and wait for the thread to end."""
        if self._ended is not None:
            self._tell(self._ended.set)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._bound.close()

    def use(self, material: Material) -> None:
        """Serve new connections with another certificate."""
        with tempfile.TemporaryDirectory(prefix="meshctl-") as folder:  # OpenSSL reads files; the folder is ours alone
            path = Path(folder, "tls.pem")
            path.touch(mode=0o600)
            path.write_text(material.key + material.certificate)
            self._context.load_cert_chain(path)

    def publish(self, objects: Objects) -> None:
        """Let the objects of a newer snapshot count. Costs the caller nothing: the webhook's own thread compares and computes."""
        self._published = objects
        if self._news is not None:
            self._tell(self._news.set)

    def _tell(self, callback: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(callback)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop, self._ended, self._news = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_post(PATH, self._validate)
        application.router.add_get("/healthz", self._healthz)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.SockSite(runner, self._bound, ssl_context=self._context).start()
            async with asyncio.TaskGroup() as tasks:
                follower = tasks.create_task(self._follow(), name="admission facts")
                self._started.set()
                await self._ended.wait()
                follower.cancel()
        finally:
            await runner.cleanup()

    async def _follow(self) -> None:
        """Compute ahead what requests will ask for, giving way to them after each piece."""
        assert self._news is not None  # noqa: S101  (set before the task is made)
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                if self._catch_up():
                    for _ in self._facts.warm():
                        await asyncio.sleep(0)
            except Exception:
                log.exception("admission facts failed")

    def _catch_up(self) -> bool:
        """Take over the newest snapshot; returns whether it says anything new."""
        newest = self._published
        if newest is None:
            return False
        if newest is self._followed:
            return self._facts.refresh()
        self._followed = newest
        return self._facts.follow(newest)

    async def _validate(self, request: web.Request) -> web.Response:
        from aiohttp import web

        try:
            review = json.loads(await request.read())
        except ValueError:
            return web.json_response({"error": "the body is not JSON"}, status=400)
        try:
            self._catch_up()
        except Exception:  # warnings may be out of date then; verdicts do not depend on it
            log.exception("admission facts failed")
        try:
            facts = NoFacts() if self._followed is None else self._facts
            return web.json_response(answer(review, facts, self._ours))
        except WebhookError as error:
            return web.json_response({"error": str(error), "hint": error.hint}, status=400)

    async def _healthz(self, _request: web.Request) -> web.Response:
        from aiohttp import web

        return web.Response(text="ok")
