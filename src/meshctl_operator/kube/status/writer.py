"""The requests that give an object its status. Every call blocks: make it in a thread."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.connection import CONFLICT, NOT_FOUND, ApiFailure, Connection
from meshctl_operator.kube.scopes import collection_path
from meshctl_operator.kube.status.desk import stored_from
from meshctl_operator.status.conditions import Conditions
from meshctl_operator.status.patches import FIELD_MANAGER, ListStyle, Stored, list_style, status_patch

STYLE_AGE: Final = 300.0
"""Seconds for which it is taken for granted how a kind keeps its conditions: a CRD may be replaced."""

REQUEST_TIMEOUT: Final = 10.0

log = logging.getLogger("meshctl.kube")


class Outcome(StrEnum):
    """What became of a write."""

    WRITTEN = "written"
    CONFLICT = "conflict"
    GONE = "gone"
    FAILED = "failed"


class StatusWriter:
    """Writes the conditions of objects."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._styles: dict[str, tuple[ListStyle, float]] = {}

    def write(self, key: ObjectKey, stored: Stored, wanted: Conditions) -> tuple[Outcome, Stored | None]:
        """Give an object the wanted conditions; returns it as the server has it then, or after a conflict.

        Nobody else's condition is lost: on CRDs that keep conditions by type ours are applied alone, on others the list is merged and written
        only if nobody wrote meanwhile.
        """
        info = KINDS[Kind(key.kind)]
        path = f"{collection_path(info, stored.api_version.rpartition('/')[2], key.namespace)}/{key.name}"
        try:
            patch = status_patch(stored, wanted, self._style(key.kind), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            if patch is None:
                return Outcome.WRITTEN, stored
            params = {"fieldManager": FIELD_MANAGER, **({"force": "true"} if patch.is_apply else {})}
            raw = self._connection.send(
                "PATCH", f"{path}/status", patch.encoded(), params, content_type=patch.content_type, timeout=REQUEST_TIMEOUT
            )
            return Outcome.WRITTEN, stored_from(key, raw)
        except ApiFailure as failure:
            if failure.status == NOT_FOUND:
                return Outcome.GONE, None
            if failure.status == CONFLICT:
                return self._read_again(key, path)
            log.warning("status could not be written", extra={"object": str(key), "reason": str(failure)})
            with self._lock:
                self._styles.pop(key.kind, None)
            return Outcome.FAILED, None

    def _read_again(self, key: ObjectKey, path: str) -> tuple[Outcome, Stored | None]:
        try:
            return Outcome.CONFLICT, stored_from(key, self._connection.get(path))
        except ApiFailure as failure:
            return (Outcome.GONE if failure.status == NOT_FOUND else Outcome.FAILED), None

    def _style(self, kind: str) -> ListStyle:
        """Return how a kind keeps its conditions. Where its CRD may not be read the safe way is taken, which works with both. Raises ApiFailure."""
        now = time.monotonic()
        with self._lock:
            known = self._styles.get(kind)
        if known is not None and now - known[1] < STYLE_AGE:
            return known[0]
        info = KINDS[Kind(kind)]
        try:
            crd = self._connection.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{info.plural}.{info.group}")
            style = list_style(crd)
        except ApiFailure as failure:
            if failure.status is None or failure.status >= 500:  # noqa: PLR2004  (the server's own trouble)
                raise
            style = ListStyle.ATOMIC
        with self._lock:
            self._styles[kind] = (style, now)
        return style
