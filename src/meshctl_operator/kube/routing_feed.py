"""Events of routing objects from a Kopf application that somebody else runs (``kopf run``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.kube.routing_index import RoutingIndex


class RoutingFeed:
    """Passes events on while a source is attached. What came before is found by the lists of the source."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attached: tuple[RoutingIndex, Callable[[], None]] | None = None

    def attach(self, index: RoutingIndex, reconnected: Callable[[], None]) -> None:
        """Pass events to an index; ``reconnected`` is called when Kopf has listed again."""
        with self._lock:
            self._attached = index, reconnected

    def detach(self) -> None:
        """Pass nothing on any more."""
        with self._lock:
            self._attached = None

    def event(self, info: KindInfo, event: str | None, raw: dict[str, Any]) -> None:
        """Take an event of Kopf."""
        with self._lock:
            attached = self._attached
        if attached is not None:
            index, reconnected = attached
            index.event(info, event, raw)
            if event is None:
                reconnected()
