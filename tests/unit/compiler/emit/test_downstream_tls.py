"""Downstream TLS contexts as messages."""

from __future__ import annotations

from meshctl_operator.compiler.emit.downstream_tls import emit_downstream_tls
from meshctl_operator.compiler.inputs.listeners import ClientTrustInput, DownstreamTlsInput, TlsVersion
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


def test_curves() -> None:
    """Curves are a parameter as well."""
    shown = as_json(emit_downstream_tls(DownstreamTlsInput(("a",), (), curves=("X25519", "P-256"))))
    assert shown["typed_config"]["common_tls_context"]["tls_params"] == {"ecdh_curves": ["X25519", "P-256"]}


def test_clients() -> None:
    """What clients are held to is a combined context: the authority by SDS, everything else beside it."""
    clients = ClientTrustInput("ca", ("spiffe://a",), ("k",), ("h",), "/crl", accept_untrusted=True)
    shown = as_json(emit_downstream_tls(DownstreamTlsInput(("a",), (), clients=clients, client_required=True)))["typed_config"]
    assert shown["require_client_certificate"] is True
    combined = shown["common_tls_context"]["combined_validation_context"]
    assert combined["validation_context_sds_secret_config"] == {"name": "ca", "sds_config": {"ads": {}, "resource_api_version": "V3"}}
    assert combined["default_validation_context"] == {
        "match_subject_alt_names": [{"exact": "spiffe://a"}],
        "verify_certificate_spki": ["k"],
        "verify_certificate_hash": ["h"],
        "crl": {"filename": "/crl"},
        "trust_chain_verification": "ACCEPT_UNTRUSTED",
    }


def test_clients_without_certificate() -> None:
    """A client that has no certificate is let in where none is required."""
    clients = ClientTrustInput("ca")
    shown = as_json(emit_downstream_tls(DownstreamTlsInput(("a",), (), clients=clients)))["typed_config"]
    assert shown["require_client_certificate"] is False
    assert "combined_validation_context" in shown["common_tls_context"]
