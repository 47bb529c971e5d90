"""Networks of a mesh: which gateways lead into each (Istio ``NetworkGateway``), and which pods are in it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_networks import Network
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.locality_policies import NETWORK_LABEL
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.services import services_of
from meshctl_operator.registry.cells import Cell, Table, object_cell

_PORT_LABEL: Final = "networking.istio.io/gatewayPort"
_DEFAULT_PORT: Final = 15443
_REGISTRY: Final = "Kubernetes"
"""The name of the one cluster that there is."""


@dataclass(frozen=True, slots=True, order=True)
class NetworkGateway:
    """An address from outside of a network that leads into it."""

    network: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class PodNetworks:
    """Which network pods are in that do not say: the ``default``, else that of their ``registry``, else that of the first range."""

    default: str = ""
    registry: str = ""
    ranges: tuple[tuple[str, str], ...] = ()

    def of(self, address: str) -> str:
        """Return the network of a pod with that address; empty where none is known."""
        if self.default or self.registry or not self.ranges or not is_ip(address):
            return self.default or self.registry
        found = ipaddress.ip_address(address)
        return next((network for network, text in self.ranges if found in ipaddress.ip_network(text)), "")


NO_NETWORKS: Final = PodNetworks()


@firewall
def network_gateways(ctx: Context) -> tuple[NetworkGateway, ...]:
    """Return the gateways of all networks, sorted: Services that say which network is theirs, and those of the settings (tracked)."""
    found: set[NetworkGateway] = set()
    for key in ctx.fetch(Cell(Table.SERVICES, "*")):
        for service in ctx.derive(services_of, key) if key.kind == Kind.SERVICE else ():
            labels = dict(service.labels)
            network, port = labels.get(NETWORK_LABEL, ""), labels.get(_PORT_LABEL, "")
            number = int(port) if port.isascii() and port.isdigit() else _DEFAULT_PORT
            found.update(NetworkGateway(network, address, number) for address in service.external_addresses if network and is_ip(address))
    for name, network_of_settings in _networks(ctx):
        for gateway in network_of_settings.gateways:
            addresses = _addresses_of(ctx, gateway.registry_service_name) if gateway.registry_service_name else (gateway.address,)
            found.update(NetworkGateway(name, address, gateway.port or _DEFAULT_PORT) for address in addresses if is_ip(address))
    return tuple(sorted(found))


@firewall
def pod_networks(ctx: Context) -> PodNetworks:
    """Return which network pods are in: that of the root namespace, else what the settings say of the registry and of ranges (tracked)."""
    namespaces = ctx.fetch(object_cell(Kind.NAMESPACE, "", mesh_config(ctx).root_namespace))
    default = next((found.meta.labels.get(NETWORK_LABEL, "") for found in namespaces), "")
    declared = [(name, each) for name, network in _networks(ctx) for each in network.endpoints]
    return PodNetworks(
        default,
        next((name for name, each in declared if each.from_registry == _REGISTRY), ""),
        tuple((name, each.from_cidr) for name, each in declared if _is_range(each.from_cidr)),
    )


def _networks(ctx: Context) -> Iterator[tuple[str, Network]]:
    declared = mesh_config(ctx).mesh_networks
    yield from sorted(declared.networks.items() if declared is not None else (), key=lambda item: item[0])


def _addresses_of(ctx: Context, host: str) -> tuple[str, ...]:
    keys = ctx.fetch(Cell(Table.SERVICES, host))
    return tuple(
        address for key in keys for found in ctx.derive(services_of, key) if found.host == host for address in found.external_addresses
    )


def _is_range(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
