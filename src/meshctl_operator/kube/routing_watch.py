"""The thread in which Kopf watches the routing kinds."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.handlers import configure, register
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.routing_index import RoutingIndex
from meshctl_operator.kube.settings import Timings

FAREWELL: Final = 0.25
"""Seconds in which the connections that Kopf has closed say goodbye: TLS needs turns of the loop for that, and nothing tells when it is done."""

log = logging.getLogger("meshctl.kube")


class RoutingWatch(threading.Thread):
    """Runs the Kopf application, again after each failure, until it is stopped.

    ``reconnected`` is called whenever Kopf listed again or was started again: something may have been missed then.
    """

    def __init__(self, connect: Callable[[], Connection], index: RoutingIndex, timings: Timings, reconnected: Callable[[], None]) -> None:
        super().__init__(name="routing watch", daemon=True)
        self._connect = connect
        self._index = index
        self._timings = timings
        self._reconnected = reconnected
        self._stopping = threading.Event()
        self._pauses = Pauses(timings, self._stopping)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def stop(self) -> None:
        """End the thread soon. Call it from another one."""
        self._stopping.set()
        loop, task = self._loop, self._task
        if loop is not None and task is not None:
            with suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(task.cancel)

    def take(self, info: KindInfo, event: str | None, raw: dict[str, Any]) -> None:
        """Take an event of Kopf."""
        self._index.event(info, event, raw)
        if event is None:
            self._reconnected()

    def run(self) -> None:
        """Run Kopf until stopped."""
        while not self._stopping.is_set():
            try:
                asyncio.run(self._operate())
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001  (whatever ends Kopf, the objects must go on arriving)
                log.warning("Kopf ended", extra={"reason": repr(error)})
            self._task = None
            if not self._stopping.is_set():
                self._reconnected()
                self._pauses.pause()

    async def _operate(self) -> None:
        import kopf

        for name in ("running", "observation"):
            logging.getLogger(f"kopf._core.reactor.{name}").addFilter(_is_news)
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopping.is_set():
            return
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        configure(settings, self._timings, Pauses(self._timings, self._stopping))
        register(registry, self._connect, self.take)
        try:
            await kopf.operator(registry=registry, settings=settings, clusterwide=True, standalone=True)
        finally:
            await asyncio.sleep(FAREWELL)


def _is_news(record: logging.LogRecord) -> bool:
    """Tell whether Kopf says something new: that it does not handle signals here is as it should be, and a lost server is told already."""
    return not any(known in record.getMessage() for known in ("OS signals are ignored", "will retry: "))
