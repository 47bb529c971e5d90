"""Which routing objects the loop was told of, and in which version: two threads write to it, events and lists."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge
from meshctl_operator.kube.scopes import key_of


@dataclass(frozen=True, slots=True)
class _Told:
    uid: str
    version: str
    number: int  # of the write, so that a list does not overrule what was told while it was fetched


class RoutingIndex:
    """What was told. Every method may be called from any thread."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._lock = threading.Lock()
        self._told: dict[ObjectKey, _Told] = {}
        self._number = 0

    @property
    def mark(self) -> int:
        """The number of the last write: take it before a list is fetched."""
        with self._lock:
            return self._number

    def holds(self, info: KindInfo) -> bool:
        """Tell whether there is any object of a kind."""
        with self._lock:
            return any(key.kind == info.kind for key in self._told)

    def event(self, info: KindInfo, event: str | None, raw: dict[str, Any]) -> None:
        """Take an event of a watch; one that is older than what was told is ignored."""
        key, meta = key_of(info, raw), raw["metadata"]
        with self._lock:
            told = self._told.get(key)
            same = told is not None and told.uid == meta.get("uid", "")
            if event == "DELETED":
                if same:
                    self._drop(key)
            elif told is None or not _is_newer_or_equal(told, same=same, version=str(meta.get("resourceVersion", ""))):
                self._tell(key, raw)

    def replace(self, info: KindInfo, items: Iterable[dict[str, Any]], mark: int) -> int:
        """Take a whole list of a kind; returns how many objects were not as it says."""
        different, present = 0, set()
        for raw in items:
            key = key_of(info, raw)
            present.add(key)
            different += self.repair(key, raw, mark)
        return different + len(self.drop_absent(info, present, mark))

    def repair(self, key: ObjectKey, raw: dict[str, Any] | None, mark: int) -> bool:
        """Take what the server holds under a key, unless something was told since the mark; returns whether it was news."""
        with self._lock:
            told = self._told.get(key)
            if told is not None and told.number > mark:
                return False
            if raw is None:
                if told is not None:
                    self._drop(key)
                return told is not None
            meta = raw["metadata"]
            if told is not None and (told.uid, told.version) == (meta.get("uid", ""), str(meta.get("resourceVersion", ""))):
                return False
            self._tell(key, raw)
            return True

    def different(self, found: Mapping[ObjectKey, tuple[str, str]], mark: int) -> tuple[ObjectKey, ...]:
        """Return the keys whose uid and version are not those that were told before the mark."""
        with self._lock:
            return tuple(
                key
                for key, (uid, version) in found.items()
                if (told := self._told.get(key)) is None or (told.number <= mark and (told.uid, told.version) != (uid, version))
            )

    def drop_absent(self, info: KindInfo, present: Iterable[ObjectKey], mark: int) -> tuple[ObjectKey, ...]:
        """Tell as gone what was told before the mark and is not in the list; returns it."""
        there = frozenset(present)
        with self._lock:
            gone = tuple(key for key, told in self._told.items() if key.kind == info.kind and key not in there and told.number <= mark)
            for key in gone:
                self._drop(key)
        return gone

    def _tell(self, key: ObjectKey, raw: dict[str, Any]) -> None:
        meta = raw["metadata"]
        self._number += 1
        self._told[key] = _Told(meta.get("uid", ""), str(meta.get("resourceVersion", "")), self._number)
        self._bridge.put(key, raw)

    def _drop(self, key: ObjectKey) -> None:
        self._number += 1
        self._told.pop(key, None)
        self._bridge.put(key, None)


def _is_newer_or_equal(told: _Told, *, same: bool, version: str) -> bool:
    """Tell whether what was told is at least as new. Versions of one object grow; what is no number is taken for new."""
    if told.version == version:
        return same
    return same and told.version.isdigit() and version.isdigit() and int(told.version) > int(version)
