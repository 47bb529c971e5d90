"""A simulated Envoy: what it holds, what it asks for next, and how it answers, as a state machine without sockets or clock.

It asks as Envoy does (the order is that of a sidecar that starts): clusters; the endpoints of those that discover them; when each is answered,
listeners; the routes that they name; virtual hosts if a route configuration leaves them to VHDS. A response is accepted at once, with new
subscriptions before the ACK. One that reconnects asks for all types, and says which versions it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from envoy.config.core.v3 import base_pb2
from google.protobuf.json_format import ParseDict

from tests.support.load.wire import Kind, Response, ack, bytes_field, nack, request, subscription

ISTIO_VERSION: Final = "1.30.0"
Refuses = Callable[[Response], bool]
_NOTHING: Final[dict[str, tuple[str, ...]]] = {}
_NO_NAMES: Final[frozenset[str]] = frozenset()
_REMEMBERED: Final = 512  # requests of clients that reconnect; those that hold the same share one


def sidecar_node(number: int, namespace: str) -> bytes:
    """Return the serialised Node of a sidecar whose address is that of no endpoint, so that nothing is inbound."""
    address = f"10.100.{number >> 8}.{number & 255}"
    name = f"load-{number}"
    node = {
        "id": f"sidecar~{address}~{name}.{namespace}~{namespace}.svc.cluster.local",
        "cluster": f"load.{namespace}",
        "metadata": {
            "NAMESPACE": namespace,
            "NAME": name,
            "CLUSTER_ID": "Kubernetes",
            "ISTIO_VERSION": ISTIO_VERSION,
            "INSTANCE_IPS": address,
            "MESH_ID": "cluster.local",
            "SERVICE_ACCOUNT": "default",
            "LABELS": {"app": "load", "version": "v1"},
        },
        "locality": {"region": "region-1", "zone": "zone-1"},
        "user_agent_name": "envoy",
    }
    body: bytes = ParseDict(node, base_pb2.Node()).SerializeToString(deterministic=True)
    return body


class Held:
    """What a client holds of one type, by name: a mapping that it shares with others, and what differs from it."""

    __slots__ = ("_changed", "base")

    def __init__(self) -> None:
        self.base: Mapping[str, str] = {}
        self._changed: dict[str, str | None] = {}

    def take(self, versions: Mapping[str, str], removed: Iterable[str]) -> None:
        """Note what a response says; ``versions`` is kept as it is and must not change any more."""
        if not self.base and not self._changed:
            self.base = versions
        else:
            self._changed.update(versions)
        for name in removed:
            self._changed[name] = None

    def identity(self) -> tuple[object, ...]:
        """Return what is equal only for clients that hold the same, while ``base`` lives."""
        return (id(self.base), *sorted(self._changed.items(), key=itemgetter(0)))

    def versions(self) -> Mapping[str, str]:
        """Return what is held."""
        if not self._changed:
            return self.base
        merged = {**self.base, **self._changed}
        return {name: version for name, version in merged.items() if version is not None}


@dataclass(frozen=True, slots=True)
class _Resumption:
    """How a type is asked for on a new stream, and which of its names are not held. ``of`` keeps the identities that it is filed under."""

    request: bytes
    missing: frozenset[str]
    of: tuple[object, ...]


_resumptions: dict[tuple[object, ...], _Resumption] = {}


def _resumption(kind: Kind, held: Held, names: frozenset[str]) -> _Resumption:
    key = (kind, *held.identity(), id(names))
    known = _resumptions.get(key)
    if known is None:
        if len(_resumptions) >= _REMEMBERED:
            _resumptions.clear()
        versions = held.versions()
        known = _Resumption(request(kind, subscribe=sorted(names), versions=versions), names - versions.keys(), (held.base, names))
        _resumptions[key] = known
    return known


class SimulatedEnvoy:
    """One client, over as many streams as it takes.

    Attributes:
        refuses: tells which responses it rejects; None for none.
        configured: whether every answer of the start was there on this stream.
        resumed: whether a stream before this one got so far; a server need not answer then.
    """

    __slots__ = ("_apart", "_asked", "_held", "_missing", "_names", "_needs", "_node", "_responded", "configured", "refuses", "resumed")

    def __init__(self, node: bytes) -> None:
        """Take the Node to present."""
        self._node = node
        self.refuses: Refuses | None = None
        self.forget()

    def forget(self) -> None:
        """Drop everything, as a new Envoy process has nothing."""
        self._held = {kind: Held() for kind in Kind}
        self._needs = {Kind.CDS: _NOTHING, Kind.LDS: _NOTHING}
        self._names = {Kind.EDS: _NO_NAMES, Kind.RDS: _NO_NAMES}
        self._missing: dict[Kind, set[str]] = {Kind.EDS: set(), Kind.RDS: set()}
        self._apart: frozenset[str] = frozenset()
        self._asked: set[Kind] = set()
        self._responded: set[Kind] = set()
        self.configured = self.resumed = False

    def holds(self) -> dict[Kind, int]:
        """Return how many resources of each type are held."""
        return {kind: len(held.versions()) for kind, held in self._held.items()}

    def version(self, kind: Kind, name: str) -> str | None:
        """Return the version that is held of a resource."""
        return self._held[kind].versions().get(name)

    def hello(self) -> list[bytes]:
        """Return the first requests of a new stream."""
        self._responded = set()
        self.resumed = self.resumed or self.configured
        self.configured = False
        if not self._asked:
            self._asked = {Kind.CDS}
            return [request(Kind.CDS, node=self._node)]
        out: list[bytes] = []
        for kind in sorted(self._asked):
            resumption = _resumption(kind, self._held[kind], self._names.get(kind, _NO_NAMES))
            out.append(resumption.request if out else bytes_field(1, self._node) + resumption.request)
            if kind in self._missing:
                self._missing[kind] = set(resumption.missing)
        return out

    def answer(self, response: Response) -> list[bytes]:
        """Take a response; returns the requests to send: new subscriptions, then ACK or NACK."""
        kind = response.kind
        if self.refuses is not None and self.refuses(response):
            return [nack(kind, response.nonce, "rejected on purpose")]
        self._responded.add(kind)
        body = response.body
        self._held[kind].take(body.versions, response.removed)
        out: list[bytes] = []
        match kind:
            case Kind.CDS:
                self._follow(kind, Kind.EDS, response, out)
                if not self._missing[Kind.EDS]:
                    self._ask(Kind.LDS, out)
            case Kind.EDS:
                self._missing[kind].difference_update(body.versions, response.removed)
                if not self._missing[kind]:
                    self._ask(Kind.LDS, out)
            case Kind.LDS:
                self._follow(kind, Kind.RDS, response, out)
            case Kind.RDS:
                self._missing[kind].difference_update(body.versions, response.removed)
                if body.virtual_hosts_apart:
                    self._apart |= body.virtual_hosts_apart
                    self._ask(Kind.VHDS, out)
            case Kind.VHDS:
                pass
        out.append(ack(kind, response.nonce))
        if not self.configured:
            self.configured = (
                self._responded >= {Kind.CDS, Kind.LDS}
                and not any(self._missing.values())
                and (not self._apart or Kind.VHDS in self._responded)
            )
        return out

    def _ask(self, kind: Kind, out: list[bytes]) -> None:
        """Ask for everything of a type, once."""
        if kind not in self._asked:
            self._asked.add(kind)
            out.append(request(kind))

    def _follow(self, above: Kind, kind: Kind, response: Response, out: list[bytes]) -> None:
        """Change the names that are asked for to what the resources of the type above need now."""
        needs, names = self._needs[above], self._names[kind]
        found = response.body.found
        key = ("follow", id(needs), id(names), response.removed)
        known = found.get(key)
        if known is None:  # what one client works out holds for all that were in the same state
            known = found[key] = _Followed(needs, names, response)
        assert isinstance(known, _Followed)
        self._needs[above], self._names[kind] = known.needs, known.names
        if known.asking:
            self._missing[kind] = (self._missing[kind] | known.added) - known.left
            self._held[kind].take({}, known.left)
            self._asked.add(kind)
            out.append(request(kind) + known.asking)


class _Followed:
    """The step of a subscription by names: from what is needed and asked for, by a response, to what is then.

    Holds what it starts from, so that the identities that it is filed under stay taken.
    """

    __slots__ = ("_before", "added", "asking", "left", "names", "needs")

    def __init__(self, needs: dict[str, tuple[str, ...]], names: frozenset[str], response: Response) -> None:
        self._before = (needs, names)
        self.needs = {**needs, **response.body.needs}
        for name in response.removed:
            self.needs.pop(name, None)
        wanted = frozenset(name for found in self.needs.values() for name in found)
        self.names = names if wanted == names else wanted
        self.added, self.left = wanted - names, names - wanted
        self.asking = subscription(sorted(self.added), sorted(self.left))
