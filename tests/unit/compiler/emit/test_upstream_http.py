"""Tests of HTTP towards an upstream."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.upstream_http import emit_http_options
from meshctl_operator.compiler.inputs.clusters import Http2Input, HttpInput, UpstreamHttp
from tests.support.mesh_text import as_json

ONE = Duration.of(seconds=1)
HTTP2 = {"max_concurrent_streams": 9, "connection_keepalive": {"interval": "1s", "timeout": "2s"}}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (None, {"explicit_http_config": {"http_protocol_options": {}}}),
        (UpstreamHttp.HTTP1, {"explicit_http_config": {"http_protocol_options": {}}}),
        (UpstreamHttp.HTTP2, {"explicit_http_config": {"http2_protocol_options": {}}}),
        (UpstreamHttp.AS_DOWNSTREAM, {"use_downstream_protocol_config": {"http_protocol_options": {}, "http2_protocol_options": {}}}),
    ],
)
def test_protocols(protocol: UpstreamHttp | None, expected: dict[str, Any]) -> None:
    """Envoy wants a protocol: HTTP/1 where none was chosen."""
    assert as_json(emit_http_options(HttpInput(protocol))) == expected


def test_http2() -> None:
    """Streams and pings stand in the HTTP/2 options."""
    http2 = Http2Input(9, ONE, Duration.of(seconds=2))
    assert as_json(emit_http_options(HttpInput(UpstreamHttp.HTTP2, http2)))["explicit_http_config"]["http2_protocol_options"] == HTTP2


def test_common_options() -> None:
    """Timeouts and limits of connections; a timeout of 0 is written, since it disables."""
    http = HttpInput(idle_timeout=Duration(0), max_connection_duration=ONE, max_requests_per_connection=1)
    assert as_json(emit_http_options(http))["common_http_protocol_options"] == {
        "idle_timeout": "0s",
        "max_connection_duration": "1s",
        "max_requests_per_connection": 1,
    }


def test_server_names() -> None:
    """SNI and its check are taken from the request where asked for."""
    assert "upstream_http_protocol_options" not in as_json(emit_http_options(HttpInput()))
    found = as_json(emit_http_options(HttpInput(auto_sni=True, auto_san_validation=True)))
    assert found["upstream_http_protocol_options"] == {"auto_sni": True, "auto_san_validation": True}


def status(code: str) -> dict[str, Any]:
    """Return the predicate for one status."""
    return {"http_response_headers_match": {"headers": [{"name": ":status", "string_match": {"exact": code}}]}}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [((503,), status("503")), ((500, 503), {"or_match": {"rules": [status("500"), status("503")]}})],
)
def test_error_codes(codes: tuple[int, ...], expected: dict[str, Any]) -> None:
    """One status is a predicate, several are alternatives."""
    assert as_json(emit_http_options(HttpInput(error_codes=codes)))["outlier_detection"] == {"error_matcher": expected}
