"""Structure of Gateway."""

from __future__ import annotations

from meshctl_operator.apis.networking.common import ServerTlsMode
from meshctl_operator.apis.networking.gateway import GatewaySpec
from tests.support.documents import spec_of


def test_defaults() -> None:
    """A server that sets the least has Istio's defaults; TLS without a mode is passed through."""
    spec: GatewaySpec = spec_of("Gateway", "{servers: [{port: {number: 443, protocol: TLS, name: t}, hosts: ['*'], tls: {}}]}")
    (server,) = spec.servers
    assert server.port is not None
    assert (server.port.number, server.port.protocol, server.bind, server.hosts) == (443, "TLS", "", ("*",))
    assert server.tls is not None
    assert server.tls.mode is ServerTlsMode.PASSTHROUGH
    assert spec.selector == {}


def test_null_selector() -> None:
    """A null selector means the same as none."""
    spec: GatewaySpec = spec_of("Gateway", "{selector: null, servers: [{port: {number: 80, protocol: HTTP, name: h}, hosts: ['*']}]}")
    assert spec.selector == {}
