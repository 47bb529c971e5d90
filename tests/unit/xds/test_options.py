"""Unit tests of the server options."""

from __future__ import annotations

from meshctl_operator.xds.options import ServerOptions


def test_defaults_bear_a_stampede_and_envoy_keepalives() -> None:
    """By default streams are not shed, pings are not punished, ports are not shared and connections do not age."""
    arguments = dict(ServerOptions().channel_arguments())
    assert arguments["grpc.so_reuseport"] == 0
    assert arguments["grpc.server.max_pending_requests"] == 100_000
    assert arguments["grpc.server.max_pending_requests_hard_limit"] == 100_000
    assert arguments["grpc.http2.max_ping_strikes"] == 0
    assert arguments["grpc.http2.min_ping_interval_without_data_ms"] == 1000
    assert arguments["grpc.max_receive_message_length"] == 64 * 1024 * 1024
    assert "grpc.max_connection_age_ms" not in arguments


def test_connection_age_in_milliseconds() -> None:
    """A connection age is given in seconds and passed on in milliseconds, with its grace."""
    arguments = dict(ServerOptions(max_connection_age=1800.0, max_connection_grace=2.5).channel_arguments())
    assert arguments["grpc.max_connection_age_ms"] == 1_800_000
    assert arguments["grpc.max_connection_age_grace_ms"] == 2500
