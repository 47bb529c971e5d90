"""Events on our objects. They are for people who look now: what cannot be written in time is left out, and never holds up a status."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from meshctl_operator.base.clock import Clock
from meshctl_operator.kube.connection import CONFLICT, NOT_FOUND, ApiFailure, Connection
from meshctl_operator.status.aggregation import Aggregation, Told
from meshctl_operator.status.patches import FIELD_MANAGER, Stored
from meshctl_operator.status.transitions import Transition

QUEUE: Final = 2000
"""Events that wait; of more the oldest are left out."""

PAUSE: Final = 0.02
"""Seconds between two Events: a burst of edits leaves the API server room for others."""

REQUEST_TIMEOUT: Final = 10.0
_NAME: Final = 230  # characters of a name, of which an API server takes 253 with the suffix

log = logging.getLogger("meshctl.kube")


class EventWriter:
    """Writes Events, one after the other."""

    def __init__(self, connection: Connection, clock: Clock, identity: str) -> None:
        self._connection = connection
        self._clock = clock
        self._identity = identity
        self._aggregation = Aggregation()
        self._waiting: deque[tuple[Stored, Told]] = deque(maxlen=QUEUE)
        self._wake = asyncio.Event()

    def tell(self, stored: Stored, transitions: Iterable[Transition]) -> None:
        """Have Events written about an object."""
        for transition in transitions:
            told = self._aggregation.add(stored.uid, transition, self._clock.time())
            if told is not None:
                self._waiting.append((stored, told))
                self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                stored, told = self._waiting.popleft()
                await asyncio.to_thread(self.write, stored, told)
                await asyncio.sleep(PAUSE)

    def write(self, stored: Stored, told: Told) -> None:
        """Create an Event, or raise the count of the one that is there; a failure is logged and forgotten. Blocks."""
        name = f"{stored.name[:_NAME].rstrip('.-')}.{told.suffix}"
        path = f"/api/v1/namespaces/{stored.namespace}/events"
        try:
            if told.count > 1 and self._patch(f"{path}/{name}", told):
                return
            body = json.dumps(self._document(stored, told, name)).encode()
            try:
                self._connection.send("POST", path, body, timeout=REQUEST_TIMEOUT)
            except ApiFailure as failure:
                if failure.status != CONFLICT:  # told by a leader before us
                    raise
                self._patch(f"{path}/{name}", told)
        except ApiFailure as failure:
            log.info("an Event could not be written", extra={"reason": str(failure)})

    def _patch(self, path: str, told: Told) -> bool:
        """Raise the count; False if there is no such Event any more."""
        body = {"count": told.count, "lastTimestamp": _time(told.last), "message": told.message}
        try:
            self._connection.send(
                "PATCH", path, json.dumps(body).encode(), content_type="application/merge-patch+json", timeout=REQUEST_TIMEOUT
            )
        except ApiFailure as failure:
            if failure.status == NOT_FOUND:
                return False
            raise
        return True

    def _document(self, stored: Stored, told: Told, name: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": stored.namespace},
            "involvedObject": {
                "apiVersion": stored.api_version,
                "kind": stored.kind,
                "namespace": stored.namespace,
                "name": stored.name,
                "uid": stored.uid,
                "resourceVersion": stored.resource_version,
            },
            "reason": told.reason,
            "message": told.message,
            "type": "Warning" if told.is_warning else "Normal",
            "count": told.count,
            "firstTimestamp": _time(told.first),
            "lastTimestamp": _time(told.last),
            "source": {"component": FIELD_MANAGER},
            "reportingComponent": FIELD_MANAGER,
            "reportingInstance": self._identity,
        }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
