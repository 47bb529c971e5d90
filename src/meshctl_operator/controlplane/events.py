"""What happens in a control plane, as typed events. Their JSON form is public (``serve -o json``, ``dev -o json``)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, get_args

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey

QUEUE_BOUND: Final = 10_000  # events that a slow subscriber may lag behind before it loses the oldest


@dataclass(frozen=True, slots=True)
class Listening:
    """The servers are reachable; ``http`` is None where no admin server runs. The ``webhook`` answers when it has a certificate."""

    xds: str
    http: str | None = None
    webhook: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        listening: dict[str, object] = {"event": "listening", "xds": self.xds, "http": self.http}
        return listening if self.webhook is None else listening | {"webhook": self.webhook}


@dataclass(frozen=True, slots=True)
class Synced:
    """Every source has told what it had at the start; from now on proxies are served."""

    objects: int
    revision: int
    diagnostics: tuple[Diagnostic, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        found = [finding.to_json() for finding in self.diagnostics]
        return {"event": "synced", "objects": self.objects, "revision": self.revision, "diagnostics": found}


@dataclass(frozen=True, slots=True)
class ConfigApplied:
    """A change was applied and compiled.

    ``resources`` counts the distinct xDS resources that are new, different or gone because of it, ``diagnostics`` are the findings that
    were not there before, ``healed`` counts those that are gone. ``ms`` is the time from the first change of the batch to this event.
    """

    revision: int
    changed: tuple[ObjectKey, ...]
    rejected: tuple[ObjectKey, ...]
    resources: int
    diagnostics: tuple[Diagnostic, ...] = ()
    healed: int = 0
    ms: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {
            "event": "config",
            "revision": self.revision,
            "changed": [str(key) for key in self.changed],
            "rejected": [str(key) for key in self.rejected],
            "resources": self.resources,
            "diagnostics": [finding.to_json() for finding in self.diagnostics],
            "healed": self.healed,
            "ms": round(self.ms, 1),
        }


@dataclass(frozen=True, slots=True)
class Acked:
    """A proxy accepted a response. ``ms`` is the time since the first change of that revision came in, or since the proxy connected."""

    proxy: str
    type: str
    revision: int
    ms: float
    resources: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {"event": "ack", "proxy": self.proxy, "type": self.type, "revision": self.revision, "ms": round(self.ms, 1), "detail": None}


@dataclass(frozen=True, slots=True)
class Nacked:
    """A proxy rejected a response, wholly or in part; ``objects`` are those that the rejected resources were computed from."""

    proxy: str
    type: str
    revision: int
    ms: float
    detail: str
    resources: tuple[str, ...]
    objects: tuple[ObjectKey, ...]

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {
            "event": "nack",
            "proxy": self.proxy,
            "type": self.type,
            "revision": self.revision,
            "ms": round(self.ms, 1),
            "detail": self.detail,
            "resources": list(self.resources),
            "objects": [str(key) for key in self.objects],
        }


@dataclass(frozen=True, slots=True)
class Connected:
    """A proxy opened a stream."""

    proxy: str
    protocol: str

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {"event": "connected", "proxy": self.proxy, "protocol": self.protocol}


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A stream of a proxy ended."""

    proxy: str

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {"event": "disconnected", "proxy": self.proxy}


Event = Listening | Synced | ConfigApplied | Acked | Nacked | Connected | Disconnected

EVENTS: Final[tuple[type[Event], ...]] = get_args(Event)
"""The types of events."""


class Subscription:
    """Events from the moment of subscribing on: an asynchronous iterator that ends when the control plane stops."""

    def __init__(self, kinds: tuple[type[Event], ...] = ()) -> None:
        """Take events of these types, or of all where none is given."""
        self._kinds = kinds
        self._events: deque[Event] = deque(maxlen=QUEUE_BOUND)
        self._wake = asyncio.Event()
        self._ended = False

    def wants(self, kind: type[Event]) -> bool:
        """Tell whether events of a type are taken."""
        return not self._kinds or kind in self._kinds

    def put(self, event: Event) -> None:
        """Add an event; the oldest is lost when the subscriber is too far behind."""
        self._events.append(event)
        self._wake.set()

    def take(self) -> tuple[Event, ...]:
        """Return what is there and was not taken yet, without waiting."""
        taken = tuple(self._events)
        self._events.clear()
        return taken

    def end(self) -> None:
        """Let the iteration end after what is there."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._events.popleft()


class EventBus:
    """Hands each event to every subscriber."""

    def __init__(self) -> None:
        self._subscriptions: list[Subscription] = []
        self._ended = False

    @contextmanager
    def subscribe(self, *kinds: type[Event]) -> Iterator[Subscription]:
        """Subscribe for the length of a ``with`` block: to events of some types, or to all where none is given."""
        subscription = Subscription(kinds)
        if self._ended:
            subscription.end()
        self._subscriptions.append(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            subscription.end()

    def wants(self, kind: type[Event]) -> bool:
        """Tell whether anybody takes events of a type, which need not be made otherwise."""
        return any(subscription.wants(kind) for subscription in self._subscriptions)

    def emit(self, event: Event) -> None:
        """Tell every subscriber that takes such events."""
        for subscription in self._subscriptions:
            if subscription.wants(type(event)):
                subscription.put(event)

    def end(self) -> None:
        """End all subscriptions."""
        self._ended = True
        for subscription in self._subscriptions:
            subscription.end()
