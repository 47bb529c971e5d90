"""The operator as an application of Kopf: ``kopf run -m meshctl_operator.kube.application --all-namespaces --standalone``.

``meshctl serve --kubernetes`` runs the same handlers in a thread of its own, which keeps the loop of the control plane free; here Kopf has
the main thread and the control plane another one. Settings come from the environment alone: ``MESHCTL_XDS`` and ``MESHCTL_HTTP`` (addresses,
by default 127.0.0.1:15010 and 127.0.0.1:15014), ``MESHCTL_WEBHOOK`` (an address; without it there is no webhook) and ``MESHCTL_REVISION``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import nullcontext, suppress
from typing import Final

import kopf

from meshctl_operator.admin.server import AdminServer
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import settings_from
from meshctl_operator.kube.admission.operation import AdmissionSettings, beside, webhook_of
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.handlers import configure, register
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.routing_feed import RoutingFeed
from meshctl_operator.kube.settings import DEFAULT_REVISION, KubeSettings
from meshctl_operator.kube.source import KubernetesSource
from meshctl_operator.kube.status.service import StatusService
from meshctl_operator.kube.status.settings import status_settings

log = logging.getLogger("meshctl.kube")

STOP_TIMEOUT: Final = 10.0  # seconds for the control plane to drain when Kopf ends


class Application(threading.Thread):
    """The control plane beside Kopf. What Kopf's handlers hear goes to ``feed``."""

    def __init__(self, feed: RoutingFeed, settings: KubeSettings) -> None:
        super().__init__(name="control plane", daemon=True)
        self._feed = feed
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """Drain and end. Call it from another thread."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(task.cancel)
        self.join(STOP_TIMEOUT)

    def run(self) -> None:
        """Serve until stopped."""
        with suppress(asyncio.CancelledError):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        settings, _ = settings_from(os.environ)
        source = KubernetesSource(self._settings, settings.mesh_settings, feed=self._feed)
        plane = ControlPlane(settings, [source])
        source.measured_by(plane.telemetry)
        status = StatusService(plane, source, self._settings, status_settings(os.environ, self._settings))
        admin = AdminServer(plane)
        host, _, port = os.environ.get("MESHCTL_WEBHOOK", "").rpartition(":")
        webhook = webhook_of(self._settings, AdmissionSettings(host, int(port)), domain=settings.domain) if host else None
        async with plane:
            try:
                xds = await plane.serve(os.environ.get("MESHCTL_XDS", "127.0.0.1:15010"))
                http = await admin.start(os.environ.get("MESHCTL_HTTP", "127.0.0.1:15014"))
                log.info("listening", extra={"xds": xds, "http": http})
                async with nullcontext() if webhook is None else beside(plane, webhook):
                    await status.run()
            finally:
                await admin.stop()


def install(registry: kopf.OperatorRegistry, settings: KubeSettings) -> None:
    """Add the whole operator to a registry of Kopf."""
    feed = RoutingFeed()
    application = Application(feed, settings)

    def start(settings: kopf.OperatorSettings, **_: object) -> None:
        timings = application._settings.timings  # noqa: SLF001  (the argument of this handler hides ours)
        configure(settings, timings, Pauses(timings, threading.Event()))
        application.start()

    def end(**_: object) -> None:
        application.stop()

    register(registry, lambda: Connection.load(settings), feed.event)
    kopf.on.startup(registry=registry, id="meshctl-start")(start)
    kopf.on.cleanup(registry=registry, id="meshctl-end")(end)


if __name__ != "__main__":
    install(kopf.get_default_registry(), KubeSettings(revision=os.environ.get("MESHCTL_REVISION", DEFAULT_REVISION)))
