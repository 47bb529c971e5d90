"""From threads to the event loop: the last word about each object, and what happened to the watches."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from meshctl_operator.base.objects import ObjectKey

Raw = dict[str, Any]


class Happening(StrEnum):
    """What is counted about watches."""

    RELIST = "relist"
    """Everything was listed again, since a watch could not go on from where it was."""
    RESTART = "restart"
    """A watch ended otherwise than by its time-out, and goes on."""
    FAILURE = "failure"
    """A request failed."""
    DRIFT = "drift"
    """An object was not what a list says; it was repaired."""


@dataclass(slots=True)
class Delivery:
    """What came in since the last look. ``objects`` are raw documents, or None for those that are gone."""

    objects: dict[ObjectKey, Raw | None] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)
    happened: Counter[tuple[Happening, str]] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        """Tell whether there is anything."""
        return bool(self.objects or self.listed or self.happened)


class Bridge:
    """Takes from any thread, gives to one loop. Holds one document an object at most, so that it is bounded by what there is."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._delivery = Delivery()
        self._wake = asyncio.Event()
        self._called = False

    def put(self, key: ObjectKey, raw: Raw | None) -> None:
        """Say what an object is now; None: it is gone."""
        with self._lock:
            self._delivery.objects[key] = raw
            self._call()

    def listed(self, scope: str) -> None:
        """Say that all objects of a scope have been told."""
        with self._lock:
            self._delivery.listed.append(scope)
            self._call()

    def count(self, what: Happening, kind: str, number: int = 1) -> None:
        """Say that something happened to the watch of a kind."""
        with self._lock:
            self._delivery.happened[what, kind] += number
            self._call()

    def _call(self) -> None:
        """Wake the loop once for all that comes in until it looks."""
        if not self._called and not self._loop.is_closed():
            self._called = True
            try:
                self._loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:  # the loop was closed in this very moment: nobody will look
                self._called = False

    async def take(self) -> Delivery:
        """Wait until there is something and return it."""
        await self._wake.wait()
        self._wake.clear()
        with self._lock:
            self._called = False
            delivery, self._delivery = self._delivery, Delivery()
        return delivery
