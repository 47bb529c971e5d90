"""Decoding of the mesh-wide settings."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.mesh_config import MESH_KEY, MeshConfig, UnsupportedPolicies
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.base.diagnostics import Severity


@pytest.mark.parametrize("raw", [None, {}, {"connectTimeout": None}])
def test_nothing_means_defaults(raw: object) -> None:
    """No document, an empty one and nulls all mean the defaults."""
    decoded = decode_mesh_config(raw)
    assert isinstance(decoded, Upsert)
    assert (decoded.key, decoded.object.spec, decoded.diagnostics) == (MESH_KEY, MeshConfig(), ())


@pytest.mark.parametrize(
    ("raw", "code", "severity", "path"),
    [
        ({"connectTimout": "5s"}, "MC1710", Severity.WARNING, "connectTimout"),
        ({"ingressControllerMode": "STRICT"}, "MC1710", Severity.INFO, "ingressControllerMode"),
        ({"defaultConfig": {"tracing": {}}}, "MC1710", Severity.INFO, "defaultConfig.tracing"),
        ({"defaultConfig": {"foo": {}}}, "MC1710", Severity.WARNING, "defaultConfig.foo"),
        ({"enableAutoMtls": True}, "MC1902", Severity.WARNING, "enableAutoMtls"),
    ],
)
def test_remarks(raw: dict[str, object], code: str, severity: Severity, path: str) -> None:
    """Fields that are unknown, without effect or not compiled are accepted, never in silence."""
    decoded = decode_mesh_config(raw)
    assert isinstance(decoded, Upsert)
    assert [(d.code, d.severity, d.path) for d in decoded.diagnostics] == [(code, severity, path)]


def test_auto_mtls_off_is_fine() -> None:
    """Switching off what does not exist needs no remark."""
    assert decode_mesh_config({"enableAutoMtls": False}).diagnostics == ()


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ([], ""),
        ({"connectTimeout": 10}, "connectTimeout"),
        ({"connectTimeout": "0s"}, "connectTimeout"),
        ({"protocolDetectionTimeout": "-1s"}, "protocolDetectionTimeout"),
        ({"proxyHttpPort": 65536}, "proxyHttpPort"),
        ({"outboundTrafficPolicy": {"mode": "ALLOW"}}, "outboundTrafficPolicy.mode"),
        ({"defaultHttpRetryPolicy": {"attempts": -1}}, "defaultHttpRetryPolicy.attempts"),
        ({"defaultTrafficPolicy": {"connectionPool": {}}}, "defaultTrafficPolicy.connectionPool"),
        ({"defaultTrafficPolicy": {"nope": {}}}, "defaultTrafficPolicy.nope"),
        (
            {"defaultConfig": {"connectionSettings": {"httpMaxHeadersCount": 0}}},
            "defaultConfig.connectionSettings.httpMaxHeadersCount",
        ),
    ],
)
def test_values_that_cannot_be_used(raw: object, path: str) -> None:
    """A wrong value rejects the document, so that the last good settings stay in use."""
    decoded = decode_mesh_config(raw)
    assert isinstance(decoded, Rejected)
    assert path in [d.path for d in decoded.diagnostics if d.severity is Severity.ERROR]


def test_without_validation() -> None:
    """With validate=False the default stands in for a value that cannot be read."""
    decoded = decode_mesh_config({"connectTimeout": 10, "proxyHttpPort": 15080}, validate=False)
    assert isinstance(decoded, Upsert)
    assert decoded.object.spec == MeshConfig(proxy_http_port=15080)
    assert [d.severity for d in decoded.diagnostics] == [Severity.WARNING]


@pytest.mark.parametrize(("text", "expected"), [("deny", UnsupportedPolicies.DENY), ("ignore", UnsupportedPolicies.IGNORE)])
def test_unsupported_policies(text: str, expected: UnsupportedPolicies) -> None:
    """A setting of ours stands beside those of Istio, without a remark; anything else rejects the document."""
    decoded = decode_mesh_config({"unsupportedPolicies": text})
    assert isinstance(decoded, Upsert)
    assert (decoded.object.spec.unsupported_policies, decoded.diagnostics) == (expected, ())
    assert isinstance(decode_mesh_config({"unsupportedPolicies": "maybe"}), Rejected)
