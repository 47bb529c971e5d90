"""Limits of an HTTP connection manager: headers, time-outs, HTTP/2 streams and windows."""

from __future__ import annotations

from envoy.config.core.v3 import protocol_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.inputs.http_limits import HttpLimitsInput, Underscores


def set_limits(message: hcm_pb2.HttpConnectionManager, limits: HttpLimitsInput) -> None:
    """Write the limits into a connection manager."""
    message.stream_idle_timeout.CopyFrom(emit_duration(limits.stream_idle_timeout))
    if limits.request_timeout is not None:
        message.request_timeout.CopyFrom(emit_duration(limits.request_timeout))
    if limits.request_headers_timeout is not None:
        message.request_headers_timeout.CopyFrom(emit_duration(limits.request_headers_timeout))
    if limits.max_headers_kb is not None:
        message.max_request_headers_kb.value = limits.max_headers_kb
    common = message.common_http_protocol_options
    if limits.idle_timeout is not None:
        common.idle_timeout.CopyFrom(emit_duration(limits.idle_timeout))
    if limits.max_headers_count is not None:
        common.max_headers_count.value = limits.max_headers_count
    if limits.underscores is not Underscores.ALLOW:
        action = protocol_pb2.HttpProtocolOptions.HeadersWithUnderscoresAction.Value(limits.underscores.value)
        common.headers_with_underscores_action = action
    http2 = message.http2_protocol_options
    if limits.max_streams is not None:
        http2.max_concurrent_streams.value = limits.max_streams
    if limits.stream_window is not None:
        http2.initial_stream_window_size.value = limits.stream_window
    if limits.connection_window is not None:
        http2.initial_connection_window_size.value = limits.connection_window
