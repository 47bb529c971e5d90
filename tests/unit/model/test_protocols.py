"""Tests of protocol selection."""

from __future__ import annotations

import pytest

from meshctl_operator.model.protocols import Protocol, kubernetes_protocol, parse_protocol


@pytest.mark.parametrize(
    ("port", "name", "app_protocol", "transport", "expected"),
    [
        pytest.param(80, "http", None, "TCP", Protocol.HTTP, id="name"),
        pytest.param(80, "HTTP-web", None, "TCP", Protocol.HTTP, id="name-in-capitals-with-suffix"),
        pytest.param(80, "https-web", None, "TCP", Protocol.HTTPS, id="https-is-not-http"),
        pytest.param(80, "httpfoo", None, "TCP", Protocol.UNSUPPORTED, id="prefix-needs-a-dash"),
        pytest.param(80, "grpc-web-a", None, "TCP", Protocol.GRPC_WEB, id="grpc-web-before-grpc"),
        pytest.param(80, "grpc-api", None, "TCP", Protocol.GRPC, id="grpc"),
        pytest.param(80, "web", None, "TCP", Protocol.UNSUPPORTED, id="unknown-name-is-sniffed"),
        pytest.param(80, "", None, "TCP", Protocol.UNSUPPORTED, id="no-name-is-sniffed"),
        pytest.param(3306, "db", None, "TCP", Protocol.TCP, id="server-first-port"),
        pytest.param(3306, "http", None, "TCP", Protocol.HTTP, id="name-beats-well-known-port"),
        pytest.param(80, "http", "kubernetes.io/h2c", "TCP", Protocol.HTTP2, id="h2c"),
        pytest.param(80, "tcp", "kubernetes.io/ws", "TCP", Protocol.HTTP, id="websocket"),
        pytest.param(80, "tcp", "kubernetes.io/wss", "TCP", Protocol.HTTPS, id="secure-websocket"),
        pytest.param(80, "http", "example.com/own", "TCP", Protocol.UNSUPPORTED, id="unknown-app-protocol-hides-the-name"),
        pytest.param(80, "http", "tcp", "TCP", Protocol.TCP, id="app-protocol-beats-name"),
        pytest.param(80, "kubernetes.io/h2c", None, "TCP", Protocol.UNSUPPORTED, id="app-protocol-words-are-no-names"),
        pytest.param(53, "http", "http", "UDP", Protocol.UDP, id="udp-transport"),
    ],
)
def test_kubernetes_protocol(port: int, name: str, app_protocol: str | None, transport: str, expected: Protocol) -> None:
    """The transport decides first, then appProtocol, then the name up to its first dash, then well-known ports."""
    assert kubernetes_protocol(port, name, app_protocol, transport) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("HTTP", Protocol.HTTP),
        ("http2", Protocol.HTTP2),
        ("gRPC-Web", Protocol.GRPC_WEB),
        ("mongo", Protocol.MONGO),
        ("", Protocol.UNSUPPORTED),
        ("telnet", Protocol.UNSUPPORTED),
        ("UnsupportedProtocol", Protocol.UNSUPPORTED),
    ],
)
def test_parse_protocol(text: str, expected: Protocol) -> None:
    """Declared protocols are read in any case; what is empty or unknown is sniffed."""
    assert parse_protocol(text) is expected


def test_families_do_not_overlap() -> None:
    """Each protocol but UDP and the sniffed one is either HTTP or opaque TCP."""
    for protocol in Protocol:
        assert protocol.is_http + protocol.is_tcp == (protocol not in {Protocol.UDP, Protocol.UNSUPPORTED})
    assert {each for each in Protocol if each.is_http2} == {Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB}
