"""Networks of a mesh: Istio's ``MeshNetworks``, which stands under ``meshNetworks`` beside the fields of ``MeshConfig``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from meshctl_operator.apis.meta import LenientModel
from meshctl_operator.apis.networking.common import FrozenMap, UInt32
from meshctl_operator.apis.support import validated_only


class NetworkEndpoints(LenientModel):
    """Which endpoints are in a network: those of a range of addresses, or those of a registry (the name of a cluster)."""

    from_cidr: str = ""
    from_registry: str = ""


class NetworkGatewayAddress(LenientModel):
    """What leads into a network: an address, or a service of the mesh by its external addresses."""

    registry_service_name: str = ""
    address: str = ""
    port: UInt32 = 0
    locality: Annotated[str, validated_only("a gateway is as near as what it stands for")] = ""


class Network(LenientModel):
    """One network."""

    endpoints: tuple[NetworkEndpoints, ...] = ()
    gateways: tuple[NetworkGatewayAddress, ...] = ()


class MeshNetworks(LenientModel):
    """All networks by name."""

    networks: FrozenMap[str, Network] = Field(default_factory=dict)
