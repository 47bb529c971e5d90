"""The structure of headers that proxies add."""

from __future__ import annotations

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.apis.proxy_headers import ForwardClientCertDetails, ProxyHeaders


def test_names() -> None:
    """Fields have Istio's names; what is not set stays unset."""
    raw = {
        "forwardedClientCert": "SANITIZE",
        "requestId": {"disabled": True},
        "server": {"value": "shop"},
        "xForwardedPort": {"enabled": True},
    }
    headers = ProxyHeaders.model_validate(raw)
    assert headers.forwarded_client_cert is ForwardClientCertDetails.SANITIZE
    assert headers.request_id is not None
    assert headers.request_id.disabled is True
    assert headers.server is not None
    assert (headers.server.value, headers.server.disabled) == ("shop", None)
    assert headers.attempt_count is None


def test_without_effect_and_unknown() -> None:
    """What stock Envoy cannot do gives a warning, and so does a field that does not exist."""
    declared = {"metadataExchangeHeaders": {"mode": "IN_MESH"}, "server": {"valeu": "x"}}
    decoded = decode_mesh_config({"defaultConfig": {"proxyHeaders": declared}})
    assert isinstance(decoded, Upsert)
    found = {finding.path: finding.hint for finding in decoded.diagnostics}
    assert found["defaultConfig.proxyHeaders.server.valeu"] == 'did you mean "value"?'
    assert "defaultConfig.proxyHeaders.metadataExchangeHeaders" in found


def test_text_that_no_header_can_have() -> None:
    """A control character in the name of the server is refused: Envoy would refuse every listener."""
    decoded = decode_mesh_config({"defaultConfig": {"proxyHeaders": {"server": {"value": "a\nb"}}}})
    assert isinstance(decoded, Rejected)
    assert [finding.path for finding in decoded.diagnostics] == ["defaultConfig.proxyHeaders.server.value"]
