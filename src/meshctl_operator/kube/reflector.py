"""List, then watch from there: one thread keeps the loop up to date about one scope."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge, Happening
from meshctl_operator.kube.connection import FORBIDDEN, GONE, NOT_FOUND, ApiFailure, Connection, Document, Stream
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.scopes import Scope, key_of
from meshctl_operator.kube.settings import Timings

GRACE: Final = 15.0  # seconds that a watch may be silent after the time at which the server should have ended it
SHORT: Final = 1.0  # seconds; a watch that ends sooner is no way to go on without a pause

log = logging.getLogger("meshctl.kube")


class Reflector(threading.Thread):
    """Tells the bridge what there is in a scope, and every change, until it is stopped.

    A watch goes on from the last version that was seen; where the server has forgotten that (410), everything is listed again and what
    is not in the list any more is told as gone.
    """

    def __init__(self, scope: Scope, connection: Connection, bridge: Bridge, timings: Timings, reconnected: Callable[[], None]) -> None:
        """Take what to watch and whom to tell; ``reconnected`` is called when the server is there again after a failure."""
        super().__init__(name=f"watch {scope.name}", daemon=True)
        self.scope = scope
        self._connection = connection
        self._bridge = bridge
        self._timings = timings
        self._reconnected = reconnected
        self._stopping = threading.Event()
        self._pauses = Pauses(timings, self._stopping)
        self._known: set[ObjectKey] = set()
        self._stream: Stream | None = None
        self._version: str | None = None
        self._told = False
        self._failing = False

    @property
    def known(self) -> frozenset[ObjectKey]:
        """What was told last. Ask when the thread has ended."""
        return frozenset(self._known)

    def stop(self) -> None:
        """End the thread soon. Call it from another one."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    def run(self) -> None:
        """List and watch until stopped."""
        while not self._stopping.is_set():
            try:
                if self._version is None:
                    self._version = self._list()
                self._watch()
            except ApiFailure as failure:
                self._failed(failure)
            except Exception as error:  # whatever the server sent: nobody else would start this thread again
                log.exception("watch failed", extra={"scope": self.scope.name})
                self._failed(ApiFailure(repr(error)))

    def _failed(self, failure: ApiFailure) -> None:
        """Wait as long as is polite."""
        if self._stopping.is_set():
            return
        if failure.status == GONE:
            self._version = None
            self._bridge.count(Happening.RELIST, self.scope.info.kind)
            log.info("watch expired", extra={"scope": self.scope.name})
            if not self._failing:
                return  # not a failure: the next list is in order
        self._bridge.count(Happening.FAILURE, self.scope.info.kind)
        if not self._failing:
            log.warning("watch failed", extra={"scope": self.scope.name, "reason": str(failure)})
        self._failing = True
        if not self._told and self.scope.optional and failure.status in {FORBIDDEN, NOT_FOUND}:
            self._tell_listed()
        self._pauses.pause(failure.retry_after)

    def _works(self) -> None:
        """Note that the server answers."""
        self._pauses.reset()
        if self._failing:
            self._failing = False
            log.info("watch goes on", extra={"scope": self.scope.name})
            self._reconnected()

    def _list(self) -> str:
        """Tell everything there is, and what is gone; returns the version of the list."""
        present: set[ObjectKey] = set()
        params = {**self.scope.selectors, "limit": str(self._timings.page), "timeoutSeconds": str(int(self._timings.answer))}
        while True:
            try:
                page = self._connection.get(self.scope.path, params)
            except ApiFailure as failure:
                if failure.status == GONE and "continue" in params:  # the list took too long: all at once then
                    params.pop("continue")
                    params.pop("limit", None)
                    continue
                raise
            for item in page.get("items") or ():
                present.add(self._put(item))
            meta = page.get("metadata") or {}
            if not meta.get("continue"):
                break
            params["continue"] = meta["continue"]
        for key in self._known - present:
            self._bridge.put(key, None)
        self._known = present
        self._works()
        self._tell_listed()
        return str(meta.get("resourceVersion") or "")

    def _tell_listed(self) -> None:
        if not self._told:
            self._told = True
            self._bridge.listed(self.scope.name)

    def _put(self, raw: Document) -> ObjectKey:
        raw.setdefault("kind", self.scope.info.kind.value)
        group, version = self.scope.info.group, self.scope.info.versions[0]
        raw.setdefault("apiVersion", f"{group}/{version}" if group else version)
        raw["metadata"].pop("managedFields", None)
        key = key_of(self.scope.info, raw)
        self._bridge.put(key, raw)
        return key

    def _watch(self) -> None:
        """Tell every change until the watch ends. Raises ApiFailure if it does not end as agreed."""
        seconds = self._pauses.between(self._timings.watch_least, self._timings.watch_most)
        params = {
            **self.scope.selectors,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version or "",
            "timeoutSeconds": str(seconds),
        }
        try:
            stream = self._stream = self._connection.watch(self.scope.path, params, silence=seconds + GRACE)
            if self._stopping.is_set():
                stream.close()
            self._works()
            begin = time.monotonic()
            for event in stream:
                self._take(event)
            _check_length(self.scope, time.monotonic() - begin)
        except ApiFailure as failure:
            if failure.status != GONE:
                self._bridge.count(Happening.RESTART, self.scope.info.kind)
            raise
        finally:
            self._stream = None

    def _take(self, event: Document) -> None:
        raw = event["object"]
        match event["type"]:
            case "ADDED" | "MODIFIED":
                self._known.add(self._put(raw))
            case "DELETED":
                key = key_of(self.scope.info, raw)
                self._known.discard(key)
                self._bridge.put(key, None)
            case "BOOKMARK":
                pass
            case "ERROR":
                status = raw.get("code")
                raise ApiFailure(f"watch {self.scope.path}: {raw.get('message')}", status if isinstance(status, int) else None)
            case _:
                return
        self._version = str(raw["metadata"]["resourceVersion"])


def _check_length(scope: Scope, seconds: float) -> None:
    """Raise ApiFailure for a watch that ended at once, or a server that ends every watch would be asked without a pause."""
    if seconds < SHORT:
        raise ApiFailure(f"watch {scope.path}: ended at once")
