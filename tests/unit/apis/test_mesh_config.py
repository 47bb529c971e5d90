"""The model of the mesh-wide settings."""

from __future__ import annotations

from meshctl_operator.apis.mesh_config import MESH_KEY, InboundMode, MeshConfig
from meshctl_operator.apis.networking.destination_rule import H2UpgradePolicy
from meshctl_operator.apis.networking.sidecar import OutboundMode
from meshctl_operator.base.durations import Duration


def test_defaults_are_those_of_istio() -> None:
    """An empty MeshConfig is Istio's, but for mutual TLS, which is unset."""
    mesh = MeshConfig()
    assert mesh.connect_timeout == Duration.of(seconds=10)
    assert mesh.dns_refresh_rate == Duration.of(seconds=60)
    assert mesh.protocol_detection_timeout == Duration(0)
    assert mesh.outbound_traffic_policy.mode is OutboundMode.ALLOW_ANY
    assert mesh.inbound_traffic_policy.mode is InboundMode.PASSTHROUGH
    assert mesh.h2_upgrade_policy is H2UpgradePolicy.DO_NOT_UPGRADE
    assert (mesh.root_namespace, mesh.trust_domain) == ("istio-system", "cluster.local")
    assert (mesh.proxy_listen_port, mesh.proxy_inbound_listen_port, mesh.proxy_http_port) == (15001, 15006, 0)
    assert mesh.default_service_export_to == mesh.default_virtual_service_export_to == mesh.default_destination_rule_export_to == ("*",)
    assert mesh.enable_auto_mtls is None


def test_policy_without_mode() -> None:
    """An outbound policy that is given without mode means REGISTRY_ONLY, the zero of its enum."""
    assert MeshConfig.model_validate({"outboundTrafficPolicy": {}}).outbound_traffic_policy.mode is OutboundMode.REGISTRY_ONLY


def test_equal_documents_give_equal_settings() -> None:
    """Settings are values."""
    assert MeshConfig.model_validate({"proxyHttpPort": 15080}) == MeshConfig(proxy_http_port=15080)
    assert str(MESH_KEY) == "MeshConfig/mesh"
