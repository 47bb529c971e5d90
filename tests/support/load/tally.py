"""What the clients saw of one event: when each held the change, and what was sent."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.load.wire import Kind, Response

STORM_ADDRESS: Final = re.compile(rb"10\.251\.(\d{1,3})\.(\d{1,3})(?!\d)")
STORM_ROW: Final = 200
"""Change number n of a storm gives an endpoint the address ``10.251.<n // 200>.<n % 200 + 1>``."""


@dataclass(frozen=True, slots=True)
class Event:
    """What to look for.

    Attributes:
        name: what the event is called.
        markers: bytes that responses of a type must hold before a client counts as changed; a virtual host counts as a route.
        namespace: the namespace whose clients should get it; ``*`` for all, empty for none.
        storm: number of endpoint changes, each with an address of its own; 0 if this is no storm.
    """

    name: str
    markers: Mapping[Kind, bytes] = field(default_factory=dict)
    namespace: str = "*"
    storm: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values."""
        markers = {kind.name: marker.hex() for kind, marker in self.markers.items()}
        return {"name": self.name, "markers": markers, "namespace": self.namespace, "storm": self.storm}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Event:
        """Return what ``to_json`` wrote."""
        markers = {Kind[name]: bytes.fromhex(marker) for name, marker in values["markers"].items()}
        return cls(values["name"], markers, values["namespace"], values["storm"])


def storm_address(number: int) -> str:
    """Return the address that a change of a storm gives to its endpoint."""
    return f"10.251.{number // STORM_ROW}.{number % STORM_ROW + 1}"


@dataclass(slots=True)
class _Seen:
    """What one client saw; times are 0.0 before they happen."""

    expected: bool
    first: float = 0.0
    last: float = 0.0
    done: float = 0.0
    pending: set[Kind] = field(default_factory=set)
    storm: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Sent:
    """What was sent of one type, to all clients together."""

    messages: int = 0
    bytes: int = 0
    payload: int = 0
    resources: int = 0


class Tally:
    """Counts one event. ``namespaces`` are those of the clients, by number; the clients in ``deaf`` need not get it."""

    def __init__(self, event: Event, namespaces: Sequence[str], deaf: Collection[int] = ()) -> None:
        self.event = event
        self._seen = [
            _Seen(event.namespace in {"*", namespace} and number not in deaf, pending=set(event.markers))
            for number, namespace in enumerate(namespaces)
        ]
        self._waiting = sum(seen.expected for seen in self._seen) if event.markers or event.storm else 0
        self._sent: dict[Kind, _Sent] = {}
        self._biggest = 0
        self.last = 0.0

    @property
    def complete(self) -> bool:
        """Whether every client that should hold the change does."""
        return not self._waiting

    def last_of(self, client: int) -> float:
        """Return when a client ACKed its last response; 0.0 if it got none."""
        return self._seen[client].last

    def take(self, client: int, response: Response, size: int, now: float) -> None:
        """Count a response that was ACKed at ``now``."""
        seen = self._seen[client]
        seen.first = seen.first or now
        seen.last = self.last = now
        sent = self._sent.get(response.kind)
        if sent is None:
            sent = self._sent[response.kind] = _Sent()
        sent.messages += 1
        sent.bytes += size
        sent.payload += response.body.payload
        sent.resources += len(response.body.versions) + len(response.removed)
        self._biggest = max(self._biggest, size)
        if self.event.storm:
            self._take_storm(seen, response, now)
        elif seen.pending and (hit := self._hit(response)) is not None and hit in seen.pending:
            seen.pending.discard(hit)
            if not seen.pending:
                self._finish(seen, now)

    def _finish(self, seen: _Seen, now: float) -> None:
        seen.done = now
        self._waiting -= seen.expected

    def _hit(self, response: Response) -> Kind | None:
        """Return the type whose marker the response holds; it is looked for once in each body."""
        kind = Kind.RDS if response.kind is Kind.VHDS else response.kind
        marker = self.event.markers.get(kind)
        if marker is None:
            return None
        key = ("marker", marker)
        if key not in response.body.found:
            response.body.found[key] = marker in response.body.data
        return kind if response.body.found[key] else None

    def _take_storm(self, seen: _Seen, response: Response, now: float) -> None:
        if response.kind is not Kind.EDS:
            return
        numbers = response.body.found.get("storm")
        if numbers is None:
            found = STORM_ADDRESS.findall(response.body.data)
            numbers = response.body.found["storm"] = sorted({int(row) * STORM_ROW + int(column) - 1 for row, column in found})
        assert isinstance(numbers, list)
        for number in numbers:
            if number < self.event.storm:
                seen.storm.setdefault(number, now)
        if not seen.done and len(seen.storm) == self.event.storm:
            self._finish(seen, now)

    def report(self, start: float, done: Sequence[float] | None = None, written: Sequence[float] = ()) -> dict[str, Any]:
        """Return the figures as JSON values, times in ms after ``start``.

        ``done`` are the times at which the clients count as through, where that is not when they saw the markers; ``written`` when each
        change of a storm was made: the ages of all changes at all clients are then the distribution.
        """
        clients = len(self._seen)
        if self.event.storm:
            ages = [at - written[number] for seen in self._seen for number, at in seen.storm.items() if number < len(written)]
        else:
            ages = [at - start for at in (done if done is not None else [seen.done for seen in self._seen]) if at >= start]
        kinds = sorted(self._sent)
        return {
            "event": self.event.name,
            "clients": clients,
            "expected": sum(seen.expected for seen in self._seen) if self.event.markers or self.event.storm else 0,
            "got_marker": sum(bool(seen.done) for seen in self._seen),
            "got_any": sum(bool(seen.first) for seen in self._seen),
            "strangers": sum(bool(seen.first) and not seen.expected for seen in self._seen),
            "ack_ms": spread(ages),
            "first_message_ms": spread([seen.first - start for seen in self._seen if seen.first]),
            "settle_ms": round((self.last - start) * 1000, 2) if self.last else None,
            "messages_per_client": {kind.name: round(self._sent[kind].messages / clients, 3) for kind in kinds},
            "bytes_per_client": {kind.name: round(self._sent[kind].bytes / clients) for kind in kinds},
            "overhead_per_client": {kind.name: round((self._sent[kind].bytes - self._sent[kind].payload) / clients) for kind in kinds},
            "resources_per_client": {kind.name: round(self._sent[kind].resources / clients, 3) for kind in kinds},
            "messages": sum(sent.messages for sent in self._sent.values()),
            "megabytes": round(sum(sent.bytes for sent in self._sent.values()) / 1e6, 3),
            "biggest_message": self._biggest,
        }


def spread(times: Sequence[float]) -> dict[str, float] | None:
    """Return the first, median, 99th percentile and last of times in seconds, as ms; None if there are none."""
    if not times:
        return None
    ordered = sorted(times)
    at = {"first": 0.0, "p50": 0.5, "p99": 0.99, "last": 1.0}
    return {name: round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000, 2) for name, share in at.items()}
