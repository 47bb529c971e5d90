"""The virtual hosts of a whole route configuration as pieces of bytes, so that one that is rejected can be kept from the others.

Knows the two fields by which a RouteConfiguration has virtual hosts with names, and nothing else of it. A piece is named as the virtual host
would be as a resource of its own (``xds.virtual_hosts``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource, content_hash, make_resource
from meshctl_operator.xds.wire import bytes_field

_VIRTUAL_HOSTS: Final = 2  # field of RouteConfiguration
_NAME: Final = 1  # field of VirtualHost
_ESCAPED: Final = str.maketrans({"%": "%25", "/": "%2F"})  # a virtual host is named by what follows the last slash
_VARINT, _BYTES = 0, 2  # wire types
_SIZES: Final = {1: 8, 5: 4}  # in bytes, of the fixed ones


def pieces(route: XdsResource) -> dict[ResourceName, XdsResource]:
    """Return the virtual hosts of a whole route configuration by name, in their order, each with the hash of its bytes as version."""
    found = {}
    for number, _, payload in _fields(route.body):
        if number == _VIRTUAL_HOSTS:
            piece = _piece(route.name, payload)
            found[piece.name] = piece
    return found


def shell(route: XdsResource) -> bytes:
    """Return everything but the virtual hosts."""
    return b"".join(raw for number, raw, _ in _fields(route.body) if number != _VIRTUAL_HOSTS)


def with_pieces(route: XdsResource, instead: Mapping[ContentHash, XdsResource | None]) -> XdsResource:
    """Return the route configuration with other virtual hosts in the place of those with these versions, or with none there.

    The very resource where it has none of them.
    """
    frames, replaced = [], []
    for number, raw, payload in _fields(route.body):
        version = content_hash(payload) if number == _VIRTUAL_HOSTS else ""
        if version in instead:
            other = instead[version]
            replaced.append(f"{version} {other.version if other is not None else ''}")
            if other is not None:
                frames.append(bytes_field(_VIRTUAL_HOSTS, other.body))
        else:
            frames.append(raw)
    if not replaced:
        return route
    version = content_hash("\n".join((route.version, *replaced)).encode())
    return make_resource(TypeUrl.ROUTE, route.name, b"".join(frames), version)


def _piece(route: ResourceName, body: bytes) -> XdsResource:
    name = next((payload.decode() for number, _, payload in _fields(body) if number == _NAME), "")
    return make_resource(TypeUrl.VIRTUAL_HOST, f"{route}/{name.translate(_ESCAPED)}", body)


def _fields(body: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the fields of a message: number, the field with its head, and the payload of one that has a length."""
    at = 0
    while at < len(body):
        start = at
        tag, at = _varint(body, at)
        payload = b""
        wire_type = tag & 7
        if wire_type == _BYTES:
            size, at = _varint(body, at)
            payload = body[at : at + size]
            at += size
        elif wire_type == _VARINT:
            _, at = _varint(body, at)
        else:
            at += _SIZES[wire_type]
        yield tag >> 3, body[start:at], payload


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004  (the bit that says that another byte follows)
            return value, at
        shift += 7
