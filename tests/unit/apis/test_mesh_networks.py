"""Networks of the mesh in its settings."""

from __future__ import annotations

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.apis.mesh_networks import Network, NetworkEndpoints, NetworkGatewayAddress


def test_networks() -> None:
    """They are read beside the fields of MeshConfig, by name."""
    gateway = {"registryServiceName": "gw.istio-system.svc.cluster.local", "port": 443}
    decoded = decode_mesh_config({"meshNetworks": {"networks": {"n1": {"endpoints": [{"fromCidr": "10.0.0.0/8"}], "gateways": [gateway]}}}})
    assert isinstance(decoded, Upsert)
    networks = decoded.object.spec.mesh_networks.networks
    assert dict(networks) == {
        "n1": Network(
            endpoints=(NetworkEndpoints(from_cidr="10.0.0.0/8"),),
            gateways=(NetworkGatewayAddress(registry_service_name="gw.istio-system.svc.cluster.local", port=443),),
        )
    }
