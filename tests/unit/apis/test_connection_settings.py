"""The structure of limits."""

from __future__ import annotations

from meshctl_operator.apis.connection_settings import ConnectionProfile, ConnectionSettings
from meshctl_operator.base.durations import Duration


def test_names() -> None:
    """Fields have Istio's names; what is not set stays unset, so that the profile decides."""
    raw = {"profile": "EDGE", "httpIdleTimeout": "1m", "http2InitialStreamWindowSize": 65536, "httpMaxRequestHeadersKb": 30}
    settings = ConnectionSettings.model_validate(raw)
    assert (settings.profile, settings.http_idle_timeout) == (ConnectionProfile.EDGE, Duration.of(seconds=60))
    assert (settings.http2_initial_stream_window_size, settings.http_max_request_headers_kb) == (65536, 30)
    assert settings.http_request_timeout is None
