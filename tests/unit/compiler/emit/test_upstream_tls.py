"""Tests of TLS towards an upstream."""

from __future__ import annotations

from typing import Any

from meshctl_operator.compiler.emit.upstream_tls import emit_transport_socket
from meshctl_operator.compiler.inputs.clusters import UpstreamTlsInput
from tests.support.mesh_text import as_json

PARAMETERS = {"tls_minimum_protocol_version": "TLSv1_2", "tls_maximum_protocol_version": "TLSv1_3"}


def context(tls: UpstreamTlsInput) -> dict[str, Any]:
    """Return the TLS context as JSON."""
    socket = as_json(emit_transport_socket(tls))
    assert socket["name"] == "envoy.transport_sockets.tls"
    found: dict[str, Any] = socket["typed_config"]
    assert found.pop("@type").endswith("/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext")
    return found


def test_everything() -> None:
    """Names are matched exactly, each by its kind: URI, IP address or DNS name."""
    tls = UpstreamTlsInput("a.example.com", ("h2",), "/ca.pem", ("spiffe://td/ns/n/sa/s", "10.0.0.1", "a.example.com"))
    assert context(tls) == {
        "sni": "a.example.com",
        "common_tls_context": {
            "tls_params": PARAMETERS,
            "alpn_protocols": ["h2"],
            "validation_context": {
                "trusted_ca": {"filename": "/ca.pem"},
                "match_typed_subject_alt_names": [
                    {"san_type": "URI", "matcher": {"exact": "spiffe://td/ns/n/sa/s"}},
                    {"san_type": "IP_ADDRESS", "matcher": {"exact": "10.0.0.1"}},
                    {"san_type": "DNS", "matcher": {"exact": "a.example.com"}},
                ],
            },
        },
    }


def test_parameters_of_the_mesh() -> None:
    """Cipher suites and curves stand in their order; without any, Envoy's own are offered."""
    tls = UpstreamTlsInput(cipher_suites=("ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"), curves=("X25519", "P-256"))
    assert context(tls)["common_tls_context"]["tls_params"] == {
        **PARAMETERS,
        "cipher_suites": ["ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"],
        "ecdh_curves": ["X25519", "P-256"],
    }


def test_trusting_anybody() -> None:
    """Without authorities the validation context is empty, and Envoy verifies nothing."""
    assert context(UpstreamTlsInput()) == {"common_tls_context": {"tls_params": PARAMETERS, "validation_context": {}}}
