"""xDS resources: a name, a version that is the hash of the content, and the bytes as they travel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshctl_operator.xds.wire import field_head, string_field

ResourceName = str
ContentHash = str

VERSION_LENGTH: Final = 16  # hexadecimal digits; 64 bits tell versions of one name apart, which is all that a version has to do

_RESOURCES: Final = 2  # field `resources` of DiscoveryResponse and of DeltaDiscoveryResponse
_ANY_TYPE_URL: Final = 1
_ANY_VALUE: Final = 2
_RESOURCE_VERSION: Final = 1  # envoy.service.discovery.v3.Resource.version
_RESOURCE_NAME: Final = 3  # envoy.service.discovery.v3.Resource.name


class TypeUrl(StrEnum):
    """The resource types that are served, in the order in which additions are sent: what is referenced goes first."""

    CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    ENDPOINT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
    ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    VIRTUAL_HOST = "type.googleapis.com/envoy.config.route.v3.VirtualHost"
    SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105  (a type URL, not a secret)

    @property
    def short(self) -> str:
        """The usual abbreviation of the discovery service: CDS, EDS, LDS, RDS, VHDS, SDS."""
        return _SHORT[self]

    @property
    def full_state(self) -> bool:
        """Whether a SotW response lists everything, so that a missing name means removal: CDS and LDS."""
        return self in _FULL_STATE

    @property
    def legacy_wildcard(self) -> bool:
        """Whether an empty first subscription means everything: CDS, LDS and VHDS."""
        return self in _LEGACY_WILDCARD

    @property
    def delta_only(self) -> bool:
        """Whether the SotW variant has no such type: VHDS, whose resources are discovered one by one."""
        return self is TypeUrl.VIRTUAL_HOST


_SHORT: Final = {
    TypeUrl.CLUSTER: "CDS",
    TypeUrl.ENDPOINT: "EDS",
    TypeUrl.LISTENER: "LDS",
    TypeUrl.ROUTE: "RDS",
    TypeUrl.VIRTUAL_HOST: "VHDS",
    TypeUrl.SECRET: "SDS",
}
_FULL_STATE: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER})
_LEGACY_WILDCARD: Final = _FULL_STATE | {TypeUrl.VIRTUAL_HOST}
_ANY_TYPE_URLS: Final = {type_url: string_field(_ANY_TYPE_URL, type_url) for type_url in TypeUrl}


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class XdsResource:
    """One Cluster, Listener, ... ready to be sent; make it with ``make_resource``.

    The body is held once: ``sotw_frame`` is the field ``resources`` of a DiscoveryResponse (an Any), and the same bytes are the field
    ``resource`` inside the entry of a DeltaDiscoveryResponse, between ``delta_head`` and ``delta_tail``.
    ``eds_name`` is, of a cluster that discovers its endpoints under another name than its own, that name
    (``eds_cluster_config.service_name``); empty otherwise.
    Two resources are equal when type, name and version are. Bodies never show in ``repr``: they may hold keys.
    """

    type_url: TypeUrl
    name: ResourceName
    version: ContentHash
    sotw_frame: bytes = field(repr=False)
    delta_head: bytes = field(repr=False)
    delta_tail: bytes = field(repr=False)
    body_size: int
    eds_name: ResourceName = ""

    @property
    def delta_frame(self) -> bytes:
        """The field ``resources`` of a DeltaDiscoveryResponse: name, version and body."""
        return b"".join((self.delta_head, self.sotw_frame, self.delta_tail))

    @property
    def body(self) -> bytes:
        """The serialised message itself; a copy, for debug pages and tests."""
        return self.sotw_frame[len(self.sotw_frame) - self.body_size :]

    def __eq__(self, other: object) -> bool:
        """Compare by identity of content, never byte by byte."""
        if not isinstance(other, XdsResource):
            return NotImplemented
        return (self.version, self.name, self.type_url) == (other.version, other.name, other.type_url)

    def __hash__(self) -> int:
        """Hash by what equality compares."""
        return hash((self.type_url, self.name, self.version))


def content_hash(body: bytes) -> ContentHash:
    """Return the version of a serialised message: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(body).hexdigest()[:VERSION_LENGTH]


def make_resource(
    type_url: TypeUrl, name: ResourceName, body: bytes, version: ContentHash | None = None, *, eds_name: ResourceName = ""
) -> XdsResource:
    """Frame a serialised message.

    ``version`` may be given by a caller that has hashed the parts of a large body already; it must depend on the content alone.
    ``eds_name`` is as in ``XdsResource``.
    """
    version = version or content_hash(body)
    any_head = _ANY_TYPE_URLS[type_url] + (field_head(_ANY_VALUE, len(body)) if body else b"")
    sotw_frame = b"".join((field_head(_RESOURCES, len(any_head) + len(body)), any_head, body))  # one copy of a body of megabytes
    version_field = string_field(_RESOURCE_VERSION, version)
    name_field = string_field(_RESOURCE_NAME, name)
    head = field_head(_RESOURCES, len(version_field) + len(sotw_frame) + len(name_field))
    return XdsResource(type_url, name, version, sotw_frame, head + version_field, name_field, len(body), eds_name)
