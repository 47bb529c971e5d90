"""Tests of PROXY headers in front of upstream connections."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2

from meshctl_operator.compiler.emit.proxy_protocol import emit_with_proxy_header
from meshctl_operator.compiler.inputs.clusters import ProxyHeader
from tests.support.mesh_text import as_json


def test_plain_text() -> None:
    """Without TLS the header goes before a raw connection; version 1 is Envoy's default and does not show."""
    socket = as_json(emit_with_proxy_header(ProxyHeader.V1, None))
    assert socket["name"] == "envoy.transport_sockets.upstream_proxy_protocol"
    assert socket["typed_config"]["config"] == {}
    assert socket["typed_config"]["transport_socket"]["name"] == "envoy.transport_sockets.raw_buffer"


def test_around_another_socket() -> None:
    """The header stands before whatever the inner socket sends."""
    socket = as_json(emit_with_proxy_header(ProxyHeader.V2, base_pb2.TransportSocket(name="inner")))
    assert socket["typed_config"]["config"] == {"version": "V2"}
    assert socket["typed_config"]["transport_socket"] == {"name": "inner"}
