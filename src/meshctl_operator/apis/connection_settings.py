"""Limits of connections and requests: Istio's ``ProxyConfig.ConnectionSettings``, with two limits of headers that Istio has no field for."""

from __future__ import annotations

from enum import StrEnum

from meshctl_operator.apis.meta import LenientModel
from meshctl_operator.apis.networking.common import Flag, GoDuration, UInt32


class ConnectionProfile(StrEnum):
    """A set of limits. SIDECAR has none; EDGE is Envoy's advice for proxies that face clients one does not know, and concerns gateways."""

    SIDECAR = "SIDECAR"
    EDGE = "EDGE"


class UnderscoreAction(StrEnum):
    """What happens to request headers with underscores in their names."""

    ALLOW = "ALLOW"
    REJECT_REQUEST = "REJECT_REQUEST"
    DROP_HEADER = "DROP_HEADER"


class EscapedSlashAction(StrEnum):
    """What happens to ``%2F`` and ``%5C`` in request paths."""

    KEEP_UNCHANGED = "KEEP_UNCHANGED"
    REJECT_REQUEST = "REJECT_REQUEST"
    UNESCAPE_AND_REDIRECT = "UNESCAPE_AND_REDIRECT"
    UNESCAPE_AND_FORWARD = "UNESCAPE_AND_FORWARD"


class ConnectionSettings(LenientModel):
    """Limits; what is not set comes from the profile. A duration of 0 turns a limit off."""

    profile: ConnectionProfile | None = None
    http_idle_timeout: GoDuration | None = None
    http_stream_idle_timeout: GoDuration | None = None
    http_request_timeout: GoDuration | None = None
    http_request_headers_timeout: GoDuration | None = None
    http_max_request_headers_kb: UInt32 | None = None
    http_max_headers_count: UInt32 | None = None
    http_max_concurrent_streams: UInt32 | None = None
    http2_initial_stream_window_size: UInt32 | None = None
    http2_initial_connection_window_size: UInt32 | None = None
    listener_per_connection_buffer_limit_bytes: UInt32 | None = None
    cluster_per_connection_buffer_limit_bytes: UInt32 | None = None
    http_headers_with_underscores_action: UnderscoreAction | None = None
    http_merge_slashes: Flag | None = None
    http_path_with_escaped_slashes_action: EscapedSlashAction | None = None
