"""What one service port asks of the outbound listeners of a sidecar: addresses to listen on, and filter chains there.

Planned service by service, so that an edit of one service plans that service again and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.hostname import is_ip, matches
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import ChainMatchInput, FilterChainInput
from meshctl_operator.compiler.plan.connection_managers import application_protocols, outbound_manager
from meshctl_operator.compiler.plan.listener_settings import listener_settings
from meshctl_operator.compiler.plan.tcp_routes import L4Client, L4Rule, address_ranges, passes, routed_proxy, server_names, service_proxy
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode
from meshctl_operator.model.scopes import scope_service
from meshctl_operator.model.services import Resolution, Service, ServicePort, ServiceRegistry
from meshctl_operator.model.vantage import STRANGER
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import MESH, ResolvedVirtualService, resolved, scoped_virtual_services
from meshctl_operator.registry.cells import MESH_L4, Cell, Table

WILDCARD: Final = "0.0.0.0"  # noqa: S104  (outbound listeners are not bound; traffic is redirected to them)
RESERVED_PORTS: Final = frozenset({15021, 15090})
"""Health and metrics of the sidecar; its two capture ports are settings of the mesh."""


class PortClass(Enum):
    """How a port is carried: as HTTP, as opaque TCP, or by sniffing."""

    HTTP = auto()
    TCP = auto()
    AUTO = auto()


@dataclass(frozen=True, slots=True)
class Contribution:
    """Filter chains that one service port wants on one listener. ``path`` is where the port stands in the object, for findings."""

    address: str
    port: int
    protocol: Protocol
    host: str
    source: ObjectKey
    path: str
    chains: tuple[FilterChainInput, ...]
    provenance: tuple[ObjectKey, ...]


def port_class(protocol: Protocol) -> PortClass | None:
    """Return how the protocol is carried, None for UDP."""
    if protocol is Protocol.UDP:
        return None
    if protocol.is_http:
        return PortClass.HTTP
    return PortClass.TCP if protocol.is_tcp else PortClass.AUTO


def service_contributions(ctx: Context, view: OutboundView, service: Service) -> Compiled[tuple[Contribution, ...]]:
    """Return what the ports of a service ask for, in port order (tracked)."""
    if service.resolution is Resolution.ALIAS:
        return Compiled(())
    settings = ctx.derive(listener_settings)
    reserved = RESERVED_PORTS | {settings.outbound_port, settings.inbound_port}
    wanted: list[Contribution] = []
    found: list[Diagnostic] = []
    for index, port in enumerate(service.ports):
        path = f"spec.ports[{index}]"
        kind = port_class(port.protocol)
        if kind is None:
            continue
        if kind is PortClass.HTTP:
            binds: tuple[tuple[str, tuple[str, ...]], ...] = ((WILDCARD, ()),)
        else:
            binds = _binds(ctx, service, port)
        for address, ranges in binds:
            if address == WILDCARD and port.number in reserved:
                message = f"is {port.number}, which sidecars use themselves; no listener is made for it"
                found.append(listener_codes.RESERVED_PORT.warning(service.source, path, message))
                continue
            if address != WILDCARD and view.interception is InterceptionMode.NONE:
                message = f"{service.host} port {port.number} has address {address}, which a sidecar without interception cannot listen on"
                found.append(listener_codes.ADDRESS_NOT_CAPTURED.warning(service.source, path, message))
                continue
            chains, provenance = _chains(ctx, view, service, port, (address, ranges), found)
            wanted.append(Contribution(address, port.number, port.protocol, service.host, service.source, path, chains, provenance))
    return Compiled(tuple(wanted), tuple(found))


def headless_addresses(ctx: Context, host: str, namespace: str, port_name: str) -> tuple[str, ...]:
    """Return the IPs behind a port of a service without a VIP, sorted (tracked): the only endpoints that listeners ever depend on."""
    served = (endpoint for endpoint in ctx.derive(endpoints, host, namespace) if endpoint.port_name == port_name)
    return tuple(sorted({endpoint.address for endpoint in served if is_ip(endpoint.address)}))


def l4_virtual_services(ctx: Context, view: OutboundView) -> tuple[ResolvedVirtualService, ...]:
    """Return the VirtualServices of the scope that speak about TCP or TLS, by precedence (tracked)."""
    if not ctx.fetch(Cell(Table.VIRTUAL_SERVICES, MESH_L4)):
        return ()
    keys = (item.key for item in ctx.derive(scoped_virtual_services, view) if item.has_l4)
    return tuple(item for key in keys if (item := ctx.derive(resolved, key)) is not None)


def concerned_view(ctx: Context, view: OutboundView, stranger: OutboundView, service: Service, insiders: frozenset[str]) -> OutboundView:
    """Return the view that the listeners of a service depend on: that of a stranger, unless who asks may matter.

    HTTP ports ask for the same everywhere. TCP ports are shaped by the DestinationRule that the namespace sees, and by the TCP and TLS
    rules of VirtualServices that reach it.
    """
    if all(port.protocol.is_http for port in service.ports):
        return stranger
    if view.sidecar is not None or view.namespace in insiders or ctx.fetch(Cell(Table.VIRTUAL_SERVICES, MESH_L4)):
        return view
    return stranger


def stranger_view(view: OutboundView) -> OutboundView:
    """Return the view without namespace, labels and Sidecar."""
    return OutboundView(view.role, STRANGER, "", interception=view.interception, http10=view.http10, local=view.local)


def _binds(ctx: Context, service: Service, port: ServicePort) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return listen addresses of a TCP or sniffed port, each with the address ranges that its chains are limited to."""
    plain = tuple(address for address in service.addresses if "/" not in address)
    if service.registry is ServiceRegistry.KUBERNETES and any(":" not in address for address in plain):
        plain = tuple(address for address in plain if ":" not in address)  # the second family of a dual-stack service is not captured
    ranges = tuple(sorted(address for address in service.addresses if "/" in address))
    binds = tuple((address, ()) for address in plain)
    if ranges:
        return (*binds, (WILDCARD, ranges))
    if binds:
        return binds
    if service.resolution is not Resolution.PASSTHROUGH:
        return ((WILDCARD, ()),)
    addresses = ctx.derive(headless_addresses, service.host, service.namespace, port.name)
    if not addresses and service.registry is not ServiceRegistry.KUBERNETES and not service.selector:
        return ((WILDCARD, ()),)
    return tuple((address, ()) for address in addresses)


def _chains(
    ctx: Context,
    view: OutboundView,
    service: Service,
    port: ServicePort,
    bind: tuple[str, tuple[str, ...]],
    found: list[Diagnostic],
) -> tuple[tuple[FilterChainInput, ...], tuple[ObjectKey, ...]]:
    kind = port_class(port.protocol)
    address, ranges = bind
    if kind is PortClass.HTTP:
        return (ctx.derive(http_chain, view.http10, WILDCARD, port.number, str(port.number), port.protocol),), (service.source,)
    chains, provenance = _l4_chains(ctx, view, service, port, ranges, wildcard=address == WILDCARD, found=found)
    if kind is PortClass.AUTO:
        route = str(port.number) if address == WILDCARD else f"{service.host}:{port.number}"
        chains = (*chains, ctx.derive(http_chain, view.http10, address, port.number, route, port.protocol))
    return chains, provenance


def http_chain(ctx: Context, http10: bool, address: str, port: int, route: str, protocol: Protocol) -> FilterChainInput:  # noqa: FBT001  (parameters of derivations are positional)
    """Return the chain that takes what is recognised as plain HTTP (tracked)."""
    settings = ctx.derive(listener_settings)
    return FilterChainInput(
        outbound_manager(settings, f"{address}_{port}", route, protocol=protocol, http10=http10),
        ChainMatchInput(transport_protocol="raw_buffer", application_protocols=application_protocols(http10=http10)),
    )


def _l4_chains(
    ctx: Context,
    view: OutboundView,
    service: Service,
    port: ServicePort,
    ranges: tuple[str, ...],
    *,
    wildcard: bool,
    found: list[Diagnostic],
) -> tuple[tuple[FilterChainInput, ...], tuple[ObjectKey, ...]]:
    client = L4Client(view.namespace, view.labels, MESH, port.number, lambda host: scope_service(ctx, view, host))
    rules = [item for item in ctx.derive(l4_virtual_services, view) if any(matches(service.host, host) for host in item.hosts)]
    planner = _L4Chains(ctx, client, service, port, ranges, found)
    if port.protocol in {Protocol.HTTPS, Protocol.TLS}:
        planner.add_tls(rules)
        if not planner.chains:
            names = server_names((service.host, *service.aliases), service.source, "spec.hosts", found) if wildcard else ()
            if names is not None:  # a name that cannot be matched must not take the connections of every other name
                planner.add_default(names)
    elif not planner.add_tcp(rules):
        planner.add_default(())
    return tuple(planner.chains), tuple(planner.provenance)


class _L4Chains:
    """The TCP chains of one service port in progress."""

    def __init__(
        self, ctx: Context, client: L4Client, service: Service, port: ServicePort, ranges: tuple[str, ...], found: list[Diagnostic]
    ) -> None:
        self._ctx = ctx
        self._client = client
        self._service = service
        self._port = port
        self._ranges = ranges
        self._found = found
        self._log = ctx.derive(listener_settings).access_log
        self.chains: list[FilterChainInput] = []
        self.provenance: dict[ObjectKey, None] = {service.source: None}

    def add_default(self, names: tuple[str, ...]) -> None:
        """Add the chain to the service itself."""
        proxy, keys = service_proxy(
            self._ctx, self._client, self._service, self._port.number, protocol=self._port.protocol, access_log=self._log
        )
        self.provenance.update(dict.fromkeys(keys))
        self.chains.append(FilterChainInput(proxy, ChainMatchInput(prefix_ranges=self._ranges, server_names=names)))

    def add_tcp(self, rules: list[ResolvedVirtualService]) -> bool:
        """Add the chains of ``tcp`` rules; tell whether one of them takes every connection, so that no default is needed.

        The first rule whose match needs nothing of the connection ends the list. Rules limited to destination subnets stand beside it.
        """
        for item in rules:
            for index, rule in enumerate(item.spec.tcp):
                path = f"spec.tcp[{index}]"
                passing = [(place, match) for place, match in enumerate(rule.match) if passes(match, self._client, item.namespace)]
                if rule.match and not passing:
                    continue
                chosen = L4Rule(item.key, path, rule.route)
                if not rule.match or any(not match.destination_subnets for _, match in passing):
                    if self._add(item, chosen, ChainMatchInput(prefix_ranges=self._ranges)):
                        return True
                    continue
                ranges: set[str] = set()
                everywhere = False
                for place, match in passing:
                    found = address_ranges(match.destination_subnets, item.key, f"{path}.match[{place}].destinationSubnets", self._found)
                    everywhere = everywhere or found == ()
                    ranges.update(found or ())
                limited = () if everywhere else tuple(sorted(ranges))
                if not everywhere and not limited:
                    continue
                if self._add(item, chosen, ChainMatchInput(prefix_ranges=limited)) and limited in {(), self._ranges}:
                    return True
        return False

    def add_tls(self, rules: list[ResolvedVirtualService]) -> None:
        """Add one chain per passing ``tls`` match; of matches that look for the same connections the first counts."""
        handled: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
        for item in rules:
            for index, rule in enumerate(item.spec.tls):
                for position, match in enumerate(rule.match):
                    path = f"spec.tls[{index}].match[{position}]"
                    if not passes(match, self._client, item.namespace):
                        continue
                    names = server_names(match.sni_hosts, item.key, f"{path}.sniHosts", self._found)
                    ranges: tuple[str, ...] | None = self._ranges
                    if match.destination_subnets:
                        ranges = address_ranges(match.destination_subnets, item.key, f"{path}.destinationSubnets", self._found)
                    if names is None or ranges is None or (names, ranges) in handled:
                        continue
                    handled.add((names, ranges))
                    self._add(
                        item, L4Rule(item.key, f"spec.tls[{index}]", rule.route), ChainMatchInput(prefix_ranges=ranges, server_names=names)
                    )

    def _add(self, item: ResolvedVirtualService, rule: L4Rule, match: ChainMatchInput) -> bool:
        planned = routed_proxy(self._ctx, self._client, rule, protocol=self._port.protocol, access_log=self._log, found=self._found)
        if planned is None:
            return False
        proxy, keys = planned
        self.provenance.update(dict.fromkeys((item.key, *keys)))
        self.chains.append(FilterChainInput(proxy, match, virtual_service=(item.namespace, item.name)))
        return True
