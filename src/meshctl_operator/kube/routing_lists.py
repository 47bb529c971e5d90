"""Lists of the routing kinds: all of them at the start, and their metadata again and again to find what the events did not tell.

Kopf lists again where a watch expired, but does not tell what vanished meanwhile; so after each reconnect, and every few minutes, what the
server holds is compared with what was told. Each difference is repaired and counted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any, Final

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.kube.bridge import Bridge, Happening
from meshctl_operator.kube.connection import METADATA_ONLY, NOT_FOUND, ApiFailure, Connection
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.routing_index import RoutingIndex
from meshctl_operator.kube.scopes import ROUTING, collection_path, key_of
from meshctl_operator.kube.settings import Timings

MANY: Final = 20  # objects that differ, from which on the whole kind is fetched

log = logging.getLogger("meshctl.kube")


class RoutingLists(threading.Thread):
    """Lists all routing kinds once, then compares until it is stopped."""

    def __init__(self, connection: Connection, index: RoutingIndex, bridge: Bridge, timings: Timings) -> None:
        super().__init__(name="routing lists", daemon=True)
        self._connection = connection
        self._index = index
        self._bridge = bridge
        self._timings = timings
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._pauses = Pauses(timings, self._stopping)
        self._failing = False

    def stop(self) -> None:
        """End the thread soon. Call it from another one."""
        self._stopping.set()
        self._wanted.set()

    def request(self) -> None:
        """Ask for a comparison soon. Call it from any thread."""
        self._wanted.set()

    def run(self) -> None:
        """List, then compare, until stopped."""
        for info in ROUTING:
            while not self._stopping.is_set() and not self._attempt(info, first=True):
                self._pauses.pause()
            self._bridge.listed(info.kind)
        while not self._stopping.is_set():
            if self._wanted.wait(self._pauses.spread(self._timings.drift)):
                self._stopping.wait(self._timings.drift_soon)
                self._wanted.clear()
            for info in ROUTING:
                if not self._stopping.is_set() and not self._attempt(info, first=False):
                    self._wanted.set()
                    self._pauses.pause()
                    break

    def _attempt(self, info: KindInfo, *, first: bool) -> bool:
        """List or compare one kind; returns False where that has to be tried again."""
        try:
            if first:
                self._index.replace(info, self._pages(info), self._index.mark)
            else:
                self._compare(info)
        except ApiFailure as failure:
            if self._stopping.is_set():
                return True
            if failure.status == NOT_FOUND and self._is_not_installed(info):
                gone = self._index.drop_absent(info, (), self._index.mark)
                self._count(info, len(gone))
                return True
            self._bridge.count(Happening.FAILURE, info.kind)
            if not self._failing:
                log.warning("list failed", extra={"kind": info.kind.value, "reason": str(failure)})
            self._failing = True
            return False
        except Exception:  # whatever the server sent: nobody else would start this thread again
            log.exception("list failed", extra={"kind": info.kind.value})
            return False
        self._pauses.reset()
        if self._failing:
            log.info("lists go on", extra={"kind": info.kind.value})
        self._failing = False
        return True

    def _compare(self, info: KindInfo) -> None:
        mark = self._index.mark
        found = {}
        for item in self._pages(info, accept=METADATA_ONLY):
            meta = item["metadata"]
            found[key_of(info, item)] = (meta.get("uid", ""), str(meta.get("resourceVersion", "")))
        repaired = len(self._index.drop_absent(info, found, mark))
        different = self._index.different(found, mark)
        if len(different) > MANY:
            repaired += self._index.replace(info, self._pages(info), mark)
        else:
            for key in different:
                try:
                    raw = self._connection.get(f"{collection_path(info, self._version(info), key.namespace)}/{key.name}")
                except ApiFailure as failure:
                    if failure.status != NOT_FOUND:
                        raise
                    raw = None
                repaired += self._index.repair(key, raw, mark)
        self._count(info, repaired)

    def _count(self, info: KindInfo, repaired: int) -> None:
        if repaired:
            self._bridge.count(Happening.DRIFT, info.kind, repaired)
            log.warning("drift repaired", extra={"kind": info.kind.value, "objects": repaired})

    def _version(self, info: KindInfo) -> str:
        """Return the newest version that the server has of a kind. Raises ApiFailure with 404 where it has none."""
        group = self._connection.get(f"/apis/{info.group}")
        served = {version.get("version") for version in group.get("versions") or ()}
        for version in info.versions:
            if version in served:
                listed = self._connection.get(f"/apis/{info.group}/{version}").get("resources") or ()
                if any(resource.get("name") == info.plural for resource in listed):
                    return version
        raise ApiFailure(f"{info.plural}.{info.group} is not served", NOT_FOUND)

    def _pages(self, info: KindInfo, *, accept: str = "application/json") -> Iterator[dict[str, Any]]:
        """Yield all objects of a kind."""
        version = self._version(info)
        path = collection_path(info, version)
        params = {"limit": str(self._timings.page), "timeoutSeconds": str(int(self._timings.answer))}
        while True:
            page = self._connection.get(path, params, accept=accept)
            for item in page.get("items") or ():
                item["kind"], item["apiVersion"] = info.kind.value, f"{info.group}/{version}"
                item["metadata"].pop("managedFields", None)
                yield item
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            params["continue"] = token

    def _is_not_installed(self, info: KindInfo) -> bool:
        """Tell whether the CRD is really missing: a server that just started does not serve the kinds of CRDs for a moment."""
        try:
            self._connection.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{info.plural}.{info.group}")
        except ApiFailure as failure:
            return failure.status == NOT_FOUND
        return False
