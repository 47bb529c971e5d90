"""Delta discovery on the wire: requests are written and responses read field by field, without protobuf's classes.

Clients of one view are sent equal bodies, but for the nonce in the end. So what comes before the last fields is looked at once for all
clients (``Reader``), and a further client costs a comparison.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple

METHOD: Final = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


class Kind(IntEnum):
    """The types that the clients ask for, in the order in which a client does."""

    CDS = 0
    EDS = 1
    LDS = 2
    RDS = 3
    VHDS = 4


_API: Final = "type.googleapis.com/envoy.config."
TYPE_URLS: Final[dict[Kind, str]] = {
    Kind.CDS: _API + "cluster.v3.Cluster",
    Kind.EDS: _API + "endpoint.v3.ClusterLoadAssignment",
    Kind.LDS: _API + "listener.v3.Listener",
    Kind.RDS: _API + "route.v3.RouteConfiguration",
    Kind.VHDS: _API + "route.v3.VirtualHost",
}
_KINDS: Final = {url.encode(): kind for kind, url in TYPE_URLS.items()}
_HTTP_MANAGER: Final = b"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_EDS_DISCOVERY: Final = 3  # Cluster.DiscoveryType.EDS
_LAST_FIELDS: Final = re.compile(rb"\x22.type\.googleapis\.com/envoy\.config\.", re.DOTALL)
"""Where DeltaDiscoveryResponse.type_url (field 4) starts; a resource has its own type URL under another tag."""
_USUAL_END: Final = 512  # bytes in which the last fields lie, unless many resources are removed
_INVALID_ARGUMENT: Final = 3
_REMEMBERED: Final = 32  # lengths of bodies, and bodies of one length; a mesh of 20 namespaces has 20 views of four types


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # the bit that says: more follows
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and value of each field of a message: bytes, or the number of a varint or of fixed width."""
    at, end = 0, len(data)
    try:
        while at < end:
            tag, at = _varint(data, at)
            wire_type = tag & 7
            if wire_type == 2:  # wire types: 2 has a length, 0 is a varint, 1 and 5 are 8 and 4 bytes
                size, at = _varint(data, at)
                if at + size > end:
                    raise WireError(f"field {tag >> 3} is longer than its message")
                yield tag >> 3, data[at : at + size]
                at += size
            elif wire_type == 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            elif wire_type in {1, 5}:
                size = 8 if wire_type == 1 else 4
                yield tag >> 3, int.from_bytes(data[at : at + size], "little")
                at += size
            else:
                raise WireError(f"field {tag >> 3} has wire type {wire_type}")
    except IndexError:
        raise WireError("a message that ends within a field") from None


def part(data: bytes, *path: int) -> bytes:
    """Return the bytes of the first field along a path of numbers; empty where there is none."""
    for number in path:
        data = next((value for found, value in fields(data) if found == number and isinstance(value, bytes)), b"")
    return data


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field of bytes, text or a message."""
    return _as_varint(number << 3 | 2) + _as_varint(len(value)) + value


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_TYPE_FIELDS: Final = {kind: bytes_field(2, url.encode()) for kind, url in TYPE_URLS.items()}


def subscription(subscribe: Iterable[str], unsubscribe: Iterable[str] = ()) -> bytes:
    """Return the fields of a DeltaDiscoveryRequest that change the subscribed names."""
    added = [bytes_field(3, name.encode()) for name in subscribe]
    return b"".join([*added, *(bytes_field(4, name.encode()) for name in unsubscribe)])


def request(kind: Kind, *, subscribe: Iterable[str] = (), versions: Mapping[str, str] | None = None, node: bytes = b"") -> bytes:
    """Return a DeltaDiscoveryRequest without nonce; ``node`` is a serialised Node, ``versions`` what a client that reconnects holds."""
    out = [bytes_field(1, node)] if node else []
    out += [_TYPE_FIELDS[kind], subscription(subscribe)]
    for name, version in (versions or {}).items():
        out.append(bytes_field(5, bytes_field(1, name.encode()) + bytes_field(2, version.encode())))
    return b"".join(out)


def ack(kind: Kind, nonce: bytes) -> bytes:
    """Return the request that accepts a response."""
    return _TYPE_FIELDS[kind] + b"\x32" + bytes((len(nonce),)) + nonce if len(nonce) < 0x80 else _TYPE_FIELDS[kind] + bytes_field(6, nonce)


def nack(kind: Kind, nonce: bytes, reason: str) -> bytes:
    """Return the request that rejects a response."""
    return ack(kind, nonce) + bytes_field(7, b"\x08" + bytes([_INVALID_ARGUMENT]) + bytes_field(2, reason.encode()))


@dataclass(eq=False, slots=True)
class Body:
    """What a response says but for type, nonce and removals; one for all clients that were sent the same.

    Attributes:
        data: the bytes.
        versions: of the resources, by name.
        needs: the names that each Cluster (EDS) or Listener (RDS) makes a client ask for.
        virtual_hosts_apart: the route configurations whose virtual hosts come by VHDS.
        payload: bytes of the resources themselves, without any frame.
        found: what searches found in it, by the key of the search; so that a search is done once.
    """

    data: bytes
    versions: dict[str, str]
    needs: dict[str, tuple[str, ...]]
    virtual_hosts_apart: frozenset[str]
    payload: int = 0
    found: dict[object, object] = field(default_factory=dict)


class Response(NamedTuple):
    """A DeltaDiscoveryResponse."""

    kind: Kind
    nonce: bytes
    body: Body
    removed: tuple[str, ...]


class Reader:
    """Reads responses, and remembers the bodies that came last."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[tuple[Kind, int], list[Body]] = OrderedDict()

    def read(self, message: bytes) -> Response:
        """Return what a message says. Raises WireError."""
        found = _LAST_FIELDS.search(message, max(0, len(message) - _USUAL_END)) or _LAST_FIELDS.search(message)
        start = found.start() if found else 0
        try:
            return self._read(message, start)
        except WireError:
            return self._read(message, 0)  # the pattern occurred within a resource

    def _read(self, message: bytes, start: int) -> Response:
        """Return what a message says whose resources end at ``start``; any that come later are read all the same."""
        kind: Kind | None = None
        nonce = b""
        removed: list[str] = []
        resources: list[bytes] = []
        for number, value in fields(message[start:]):
            if not isinstance(value, bytes):
                continue
            if number == 4:  # fields of DeltaDiscoveryResponse: 2 resources, 4 type_url, 5 nonce, 6 removed_resources
                kind = _KINDS.get(value)
            elif number == 5:
                nonce = value
            elif number == 6:
                removed.append(value.decode())
            elif number == 2:
                resources.append(bytes_field(2, value))
        if kind is None:
            raise WireError("a response of no type that was asked for")
        if resources:
            message = message[:start] + b"".join(resources)
            start = len(message)
        return Response(kind, nonce, self._body(kind, message, start), tuple(removed))

    def _body(self, kind: Kind, message: bytes, size: int) -> Body:
        """Return the body of the first ``size`` bytes: bodies of one length are compared, which is ten times faster than a hash of them."""
        key = (kind, size)
        known = self._bodies.setdefault(key, [])
        self._bodies.move_to_end(key)
        for body in known:
            if message.startswith(body.data):
                return body
        body = read_body(kind, message[:size])
        known.insert(0, body)
        del known[_REMEMBERED:]
        while len(self._bodies) > _REMEMBERED:
            self._bodies.popitem(last=False)
        return body


class _Resource(NamedTuple):
    """What one resource of a response says."""

    name: str
    version: str
    size: int
    needs: tuple[str, ...] = ()
    virtual_hosts_apart: bool = False


@lru_cache(maxsize=65_536)  # views share most resources
def _resource(kind: Kind, data: bytes) -> _Resource:
    name, version, message = "", "", b""
    for number, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 3:  # fields of Resource: 1 version, 2 resource, 3 name
            name = value.decode()
        elif number == 1:
            version = value.decode()
        elif number == 2:
            message = part(value, 2)
    match kind:
        case Kind.CDS:
            return _Resource(name, version, len(message), _endpoints_of(message))
        case Kind.LDS:
            return _Resource(name, version, len(message), tuple(_routes_of(message)))
        case Kind.RDS:
            return _Resource(
                name, version, len(message), virtual_hosts_apart=any(number == 9 for number, _ in fields(message))
            )  # RouteConfiguration.vhds
        case Kind.EDS | Kind.VHDS:
            return _Resource(name, version, len(message))


def read_body(kind: Kind, data: bytes) -> Body:
    """Return what the resources in the fields of a response say."""
    body = Body(data, {}, {}, frozenset())
    for number, value in fields(data):
        if number != 2 or not isinstance(value, bytes):  # DeltaDiscoveryResponse.resources
            continue
        found = _resource(kind, value)
        body.versions[found.name] = found.version
        body.payload += found.size
        if kind is Kind.CDS or kind is Kind.LDS:
            body.needs[found.name] = found.needs
        if found.virtual_hosts_apart:
            body.virtual_hosts_apart |= {found.name}
    return body


def _endpoints_of(cluster: bytes) -> tuple[str, ...]:
    """Return the name of the ClusterLoadAssignment of a Cluster that discovers its endpoints."""
    name = service = b""
    discovered = False
    for number, value in fields(cluster):
        if number == 1 and isinstance(value, bytes):
            name = value
        elif number == 2:  # Cluster.type
            discovered = value == _EDS_DISCOVERY
        elif number == 3 and isinstance(value, bytes):  # Cluster.eds_cluster_config
            service = part(value, 2)
    return ((service or name).decode(),) if discovered else ()


def _routes_of(listener: bytes) -> Iterator[str]:
    """Yield the names of the route configurations that the filter chains of a Listener discover."""
    for number, chain in fields(listener):
        if number not in {3, 25} or not isinstance(chain, bytes):  # Listener.filter_chains, default_filter_chain
            continue
        for found, network_filter in fields(chain):
            if found != 3 or not isinstance(network_filter, bytes):  # FilterChain.filters
                continue
            config = part(network_filter, 4)  # Filter.typed_config
            if part(config, 1) == _HTTP_MANAGER and (name := part(config, 2, 3, 2)):  # HttpConnectionManager.rds.route_config_name
                yield name.decode()
