"""Limits as messages."""

from __future__ import annotations

from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2 as hcm_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.http_limits import set_limits
from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS, HttpLimitsInput, Underscores
from tests.support.mesh_text import as_json


def test_no_limits() -> None:
    """Without limits nothing is written but that streams may be idle."""
    message = hcm_pb2.HttpConnectionManager()
    set_limits(message, NO_LIMITS)
    assert as_json(message) == {"stream_idle_timeout": "0s"}


def test_limits() -> None:
    """Every limit has its place."""
    message = hcm_pb2.HttpConnectionManager()
    one, two, three, four = (Duration.of(seconds=number) for number in (1, 2, 3, 4))
    set_limits(message, HttpLimitsInput(one, two, three, four, 5, 6, 7, 65536, 65537, Underscores.REJECT_REQUEST))
    assert as_json(message) == {
        "stream_idle_timeout": "2s",
        "request_timeout": "3s",
        "request_headers_timeout": "4s",
        "max_request_headers_kb": 5,
        "common_http_protocol_options": {
            "idle_timeout": "1s",
            "max_headers_count": 6,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http2_protocol_options": {
            "max_concurrent_streams": 7,
            "initial_stream_window_size": 65536,
            "initial_connection_window_size": 65537,
        },
    }
