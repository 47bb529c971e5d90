"""Downstream TLS contexts as messages."""

from __future__ import annotations

from meshctl_operator.compiler.emit.downstream_tls import emit_downstream_tls
from meshctl_operator.compiler.inputs.listeners import DownstreamTlsInput, TlsVersion
from tests.support.mesh_text import as_json


def test_parameters() -> None:
    """Versions and cipher suites are parameters of the context, in the order given."""
    shown = as_json(
        emit_downstream_tls(DownstreamTlsInput(("a", "b"), ("h2",), TlsVersion.TLSV1_2, TlsVersion.TLSV1_3, ("AES256-SHA", "AES128-SHA")))
    )
    common = shown["typed_config"]["common_tls_context"]
    assert [secret["name"] for secret in common["tls_certificate_sds_secret_configs"]] == ["a", "b"]
    assert common["alpn_protocols"] == ["h2"]
    assert common["tls_params"] == {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
        "cipher_suites": ["AES256-SHA", "AES128-SHA"],
    }


def test_no_parameters() -> None:
    """Where nothing is said Envoy's own parameters hold."""
    assert "tls_params" not in as_json(emit_downstream_tls(DownstreamTlsInput(("a",), ())))["typed_config"]["common_tls_context"]
