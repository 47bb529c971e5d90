"""Limits of gateways and sidecars."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.connection_settings import ConnectionSettings
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS, HttpLimitsInput, Underscores
from meshctl_operator.compiler.inputs.listeners import EscapedSlashes
from meshctl_operator.compiler.plan.http_limits import GATEWAY_LIMITS, Limits, gateway_limits, limits_for, sidecar_limits
from meshctl_operator.model.protocols import Protocol


def settings(**raw: Any) -> ConnectionSettings:
    """Return settings."""
    return ConnectionSettings.model_validate(raw)


def test_defaults() -> None:
    """Gateways are limited without being told, and let in what they always let in; sidecars are not limited."""
    assert gateway_limits(None) == Limits(GATEWAY_LIMITS)
    assert GATEWAY_LIMITS.underscores is Underscores.ALLOW
    assert sidecar_limits(None) == Limits()


def test_profiles() -> None:
    """EDGE is Envoy's whole advice, SIDECAR takes the limits away; neither concerns sidecars."""
    edge = gateway_limits(settings(profile="EDGE"))
    assert (edge.buffer, edge.merge_slashes, edge.escaped_slashes) == (32768, True, EscapedSlashes.UNESCAPE_AND_REDIRECT)
    assert edge.http.underscores is Underscores.REJECT_REQUEST
    assert gateway_limits(settings(profile="SIDECAR")) == Limits(NO_LIMITS)
    assert sidecar_limits(settings(profile="EDGE")) == Limits()


ALL: dict[str, Any] = {
    "httpIdleTimeout": "1s",
    "httpStreamIdleTimeout": "2s",
    "httpRequestTimeout": "3s",
    "httpRequestHeadersTimeout": "4s",
    "httpMaxRequestHeadersKb": 5,
    "httpMaxHeadersCount": 6,
    "httpMaxConcurrentStreams": 7,
    "http2InitialStreamWindowSize": 65536,
    "http2InitialConnectionWindowSize": 65537,
    "listenerPerConnectionBufferLimitBytes": 10,
    "httpHeadersWithUnderscoresAction": "DROP_HEADER",
    "httpMergeSlashes": False,
    "httpPathWithEscapedSlashesAction": "REJECT_REQUEST",
}


def test_every_setting() -> None:
    """What is set beats the profile, for gateways and for sidecars."""
    one, two, three, four = (Duration.of(seconds=number) for number in (1, 2, 3, 4))
    http = HttpLimitsInput(one, two, three, four, 5, 6, 7, 65536, 65537, Underscores.DROP_HEADER)
    expected = Limits(http, 10, merge_slashes=False, escaped_slashes=EscapedSlashes.REJECT_REQUEST)
    assert gateway_limits(settings(profile="EDGE", **ALL)) == expected
    assert sidecar_limits(settings(**ALL)) == expected


def test_out_of_range() -> None:
    """What Envoy would refuse is held to what it takes."""
    http = gateway_limits(settings(httpMaxRequestHeadersKb=0, http2InitialStreamWindowSize=1, httpIdleTimeout="-1s")).http
    assert (http.max_headers_kb, http.stream_window, http.idle_timeout) == (1, 65535, GATEWAY_LIMITS.idle_timeout)


def test_streams_of_grpc() -> None:
    """A stream of gRPC is one request without an end, so requests of such servers may last."""
    assert limits_for(GATEWAY_LIMITS, Protocol.GRPC).request_timeout is None
    assert limits_for(GATEWAY_LIMITS, Protocol.HTTP) == GATEWAY_LIMITS
