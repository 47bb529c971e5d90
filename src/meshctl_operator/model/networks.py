"""Networks of a mesh: which gateways lead into each (Istio ``NetworkGateway``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.locality_policies import NETWORK_LABEL
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.services import services_of
from meshctl_operator.registry.cells import Cell, Table, object_cell

_PORT_LABEL: Final = "networking.istio.io/gatewayPort"
_DEFAULT_PORT: Final = 15443


@dataclass(frozen=True, slots=True, order=True)
class NetworkGateway:
    """An address from outside of a network that leads into it."""

    network: str
    address: str
    port: int


@firewall
def network_gateways(ctx: Context) -> tuple[NetworkGateway, ...]:
    """Return the gateways of all networks, sorted: Services that say which network is theirs, by their external addresses (tracked)."""
    found: set[NetworkGateway] = set()
    for key in ctx.fetch(Cell(Table.SERVICES, "*")):
        for service in ctx.derive(services_of, key) if key.kind == Kind.SERVICE else ():
            labels = dict(service.labels)
            network, port = labels.get(NETWORK_LABEL, ""), labels.get(_PORT_LABEL, "")
            number = int(port) if port.isascii() and port.isdigit() else _DEFAULT_PORT
            found.update(NetworkGateway(network, address, number) for address in service.external_addresses if network and is_ip(address))
    return tuple(sorted(found))


@firewall
def default_network(ctx: Context) -> str:
    """Return the network of pods that do not say: that of the root namespace (tracked)."""
    namespaces = ctx.fetch(object_cell(Kind.NAMESPACE, "", mesh_config(ctx).root_namespace))
    return next((found.meta.labels.get(NETWORK_LABEL, "") for found in namespaces), "")
