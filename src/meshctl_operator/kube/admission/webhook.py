"""The webhook as a task of the operator: it starts with the shared certificate, and looks after that while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.kube.admission.certificates import Material, service_names
from meshctl_operator.kube.admission.review import Ours, everything
from meshctl_operator.kube.admission.rotation import LOOK_EVERY, Rotation
from meshctl_operator.kube.admission.secrets import MaterialStore, TrustStore
from meshctl_operator.kube.admission.server import AdmissionServer, Objects, bind

RETRY_AFTER: Final = 2.0
"""Seconds until the next look while API servers do not trust what is served: the webhook is not installed yet, or they cannot be asked."""

log = logging.getLogger("meshctl.kube.admission")


@dataclass(frozen=True, slots=True)
class WebhookOptions:
    """Where the webhook listens, the Service in front of it by which API servers call it, and which objects it judges."""

    service: str
    namespace: str
    host: str = "0.0.0.0"  # noqa: S104  (API servers call from outside the Pod)
    port: int = 15017
    domain: str = "cluster.local"
    ours: Ours = everything


class Webhook:
    """Runs the server. ``publish`` may be called at any time, from the loop of the control plane.

    The port is bound from the start, so that a taken one is an error before anything runs: MeshctlError.
    """

    def __init__(self, options: WebhookOptions, store: MaterialStore, trust: TrustStore, clock: Clock) -> None:
        self._options = options
        self._bound = bind(options.host, options.port)
        self._server: AdmissionServer | None = None
        self._newest: Objects | None = None
        self._ended = False
        self._rotation = Rotation(service_names(options.service, options.namespace), store, trust, self._serve, clock)

        self.port: int = self._bound.getsockname()[1]

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return f"{self._options.host}:{self.port}"

    def publish(self, objects: Objects) -> None:
        """Let the objects of a newer registry snapshot count for warnings."""
        self._newest = objects
        if self._server is not None:
            self._server.publish(objects)

    async def run(self, progress: Callable[[bool], None] = lambda _: None) -> None:
        """Serve until cancelled. ``progress`` is told after each look whether API servers trust what is served.

        While the API server is away the last certificate goes on being served.
        """
        try:
            while True:
                try:
                    trusted = await asyncio.to_thread(self._rotation.look)
                except Exception:  # whatever the client raises: the API server is away, or does not let us
                    log.exception("webhook certificate", extra={"retry": RETRY_AFTER})
                    trusted = False
                progress(trusted)
                await asyncio.sleep(LOOK_EVERY if trusted else RETRY_AFTER)
        finally:
            self._ended = True
            server = self._server
            with suppress(Exception):
                await asyncio.shield(asyncio.to_thread(self._bound.close if server is None else server.stop))

    def _serve(self, material: Material) -> None:
        """Serve with a certificate; the first one starts the server."""
        if self._server is not None:
            self._server.use(material)
            return
        if self._ended:  # a look that was on its way when the task was cancelled
            return
        options = self._options
        server = AdmissionServer(self._bound, material, domain=options.domain, ours=options.ours)
        server.start()
        self._server = server
        if self._newest is not None:
            server.publish(self._newest)
