"""Limits of connections and requests: what the mesh says, else the profile, which for gateways is one of our own.

Envoy's defaults suit a mesh, where clients are known. Gateways face the world: without being told they limit what costs memory and what
keeps connections for good, as Envoy advises for edge proxies. What would change which requests are let in, and where they go (underscores
in names of headers, slashes in paths), is changed by the profile EDGE alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, NamedTuple, assert_never

from meshctl_operator.apis.connection_settings import ConnectionProfile, ConnectionSettings
from meshctl_operator.apis.validation.connection_settings import MAX_HEADERS_KB, MAX_STREAMS, MAX_WINDOW, MIN_WINDOW
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS, HttpLimitsInput, Underscores
from meshctl_operator.compiler.inputs.listeners import EscapedSlashes
from meshctl_operator.model.protocols import Protocol

GATEWAY_LIMITS: Final = HttpLimitsInput(
    idle_timeout=Duration.of(seconds=3600),
    stream_idle_timeout=Duration.of(seconds=300),
    request_timeout=Duration.of(seconds=300),
    request_headers_timeout=Duration.of(seconds=60),
    max_headers_kb=60,  # this and the next are Envoy's own, said aloud
    max_headers_count=100,
    max_streams=100,
    stream_window=64 * 1024,
    connection_window=1024 * 1024,
)
"""What Envoy advises for edge proxies, as far as it changes nothing for requests that behave."""

EDGE_BUFFER: Final = 32 * 1024


class Limits(NamedTuple):
    """The limits of one kind of proxy. None leaves a part to the path normalisation of the mesh, or to Envoy."""

    http: HttpLimitsInput = NO_LIMITS
    buffer: int | None = None
    merge_slashes: bool | None = None
    escaped_slashes: EscapedSlashes | None = None


def gateway_limits(settings: ConnectionSettings | None) -> Limits:
    """Return the limits of gateways."""
    match settings.profile if settings is not None else None:
        case None:
            base = Limits(GATEWAY_LIMITS)
        case ConnectionProfile.SIDECAR:
            base = Limits()
        case ConnectionProfile.EDGE:
            http = replace(GATEWAY_LIMITS, underscores=Underscores.REJECT_REQUEST)
            base = Limits(http, EDGE_BUFFER, merge_slashes=True, escaped_slashes=EscapedSlashes.UNESCAPE_AND_REDIRECT)
        case other:
            assert_never(other)
    return _overlaid(base, settings)


def sidecar_limits(settings: ConnectionSettings | None) -> Limits:
    """Return the limits of sidecars: what is set, no profile concerns them."""
    return _overlaid(Limits(), settings)


def limits_for(limits: HttpLimitsInput, protocol: Protocol) -> HttpLimitsInput:
    """Return the limits of a server. A stream of gRPC is one request that may last for good."""
    return replace(limits, request_timeout=None) if protocol in {Protocol.GRPC, Protocol.GRPC_WEB} else limits


def _overlaid(base: Limits, settings: ConnectionSettings | None) -> Limits:
    """Return the limits with those that are set. What Envoy would refuse is held to the nearest value that it takes."""
    if settings is None:
        return base
    http = replace(
        base.http,
        idle_timeout=_duration(settings.http_idle_timeout, base.http.idle_timeout),
        stream_idle_timeout=_duration(settings.http_stream_idle_timeout, base.http.stream_idle_timeout) or Duration(0),
        request_timeout=_duration(settings.http_request_timeout, base.http.request_timeout),
        request_headers_timeout=_duration(settings.http_request_headers_timeout, base.http.request_headers_timeout),
        max_headers_kb=_number(settings.http_max_request_headers_kb, base.http.max_headers_kb, 1, MAX_HEADERS_KB),
        max_headers_count=_number(settings.http_max_headers_count, base.http.max_headers_count, 1, MAX_STREAMS),
        max_streams=_number(settings.http_max_concurrent_streams, base.http.max_streams, 1, MAX_STREAMS),
        stream_window=_number(settings.http2_initial_stream_window_size, base.http.stream_window, MIN_WINDOW, MAX_WINDOW),
        connection_window=_number(settings.http2_initial_connection_window_size, base.http.connection_window, MIN_WINDOW, MAX_WINDOW),
        underscores=(
            Underscores(settings.http_headers_with_underscores_action.value)
            if settings.http_headers_with_underscores_action is not None
            else base.http.underscores
        ),
    )
    slashes = settings.http_path_with_escaped_slashes_action
    return Limits(
        http,
        settings.listener_per_connection_buffer_limit_bytes or base.buffer,
        base.merge_slashes if settings.http_merge_slashes is None else settings.http_merge_slashes,
        base.escaped_slashes if slashes is None else EscapedSlashes(slashes.value),
    )


def _duration(value: Duration | None, default: Duration | None) -> Duration | None:
    return default if value is None or value.nanos < 0 else value


def _number(value: int | None, default: int | None, least: int, most: int) -> int | None:
    return default if value is None else max(least, min(value, most))
