"""What one service port asks of the outbound listeners of a sidecar: addresses to listen on, and filter chains there.

Planned service by service, so that an edit of one service plans that service again and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, assert_never

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.hostname import is_ip, matches
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import ChainMatchInput, FilterChainInput
from meshctl_operator.compiler.plan.connection_managers import application_protocols, outbound_manager
from meshctl_operator.compiler.plan.listener_settings import listener_settings
from meshctl_operator.compiler.plan.tcp_routes import L4Client, L4Rule, address_ranges, passes, routed_proxy, server_names, service_proxy
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.dynamic_hosts import DYNAMIC_PROTOCOLS
from meshctl_operator.model.egress_listeners import CATCH_ALL, EgressListener
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import IpFamilies
from meshctl_operator.model.scopes import scope_service
from meshctl_operator.model.services import Resolution, Service, ServicePort, ServiceRegistry
from meshctl_operator.model.vantage import STRANGER
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import MESH, ResolvedVirtualService, resolved, scoped_virtual_services
from meshctl_operator.registry.cells import MESH_L4, Cell, Table

_FIRST_FREE_PORT: Final = 1024  # those below need privileges
RESERVED_PORTS: Final = frozenset({15021, 15090})
"""Health and metrics of the sidecar; its two capture ports are settings of the mesh."""


class PortClass(Enum):
    """How a port is carried: as HTTP, as opaque TCP, or by sniffing."""

    HTTP = auto()
    TCP = auto()
    AUTO = auto()


@dataclass(frozen=True, slots=True)
class Contribution:
    """Filter chains that one service port wants on one listener. ``path`` is where the port stands in the object, for findings.

    ``bound`` says that the listener is a real socket.
    """

    address: str
    port: int
    protocol: Protocol
    host: str
    source: ObjectKey
    path: str
    chains: tuple[FilterChainInput, ...]
    provenance: tuple[ObjectKey, ...]
    bound: bool = False


def port_class(protocol: Protocol) -> PortClass | None:
    """Return how the protocol is carried, None for UDP."""
    if protocol is Protocol.UDP:
        return None
    if protocol.is_http:
        return PortClass.HTTP
    return PortClass.TCP if protocol.is_tcp else PortClass.AUTO


def service_contributions(
    ctx: Context, view: OutboundView, service: Service, listener: EgressListener = CATCH_ALL
) -> Compiled[tuple[Contribution, ...]]:
    """Return what the ports of a service ask of an egress listener, in port order (tracked).

    A listener with a port of its own has its own protocol, too, whatever the services say.
    """
    if service.resolution is Resolution.ALIAS:
        return Compiled(())
    settings = ctx.derive(listener_settings)
    reserved = RESERVED_PORTS | {settings.outbound_port, settings.inbound_port}
    wanted: list[Contribution] = []
    found: list[Diagnostic] = []
    wildcard = view.families.wildcard
    dynamic = service.resolution is Resolution.DYNAMIC_DNS
    for index, port in _listened(service, listener):
        path = f"spec.ports[{index}]"
        kind = port_class(port.protocol)
        if kind is None or (dynamic and port.protocol not in DYNAMIC_PROTOCOLS):
            continue
        if listener.address:
            binds: tuple[tuple[str, tuple[str, ...]], ...] = ((listener.address, ()),)
        elif kind is PortClass.HTTP:
            binds = ((wildcard, ()),)
        else:
            binds = _binds(ctx, view, service, port, listener)
        if listener.bound and view.unprivileged and 0 < port.number < _FIRST_FREE_PORT:
            message = f"is {port.number}, which a sidecar without privileges cannot bind; no listener is made for it"
            found.append(listener_codes.PRIVILEGED_PORT.warning(service.source, path, message))
            continue
        for address, ranges in binds:
            if address == wildcard and port.number in reserved:
                message = f"is {port.number}, which sidecars use themselves; no listener is made for it"
                found.append(listener_codes.RESERVED_PORT.warning(service.source, path, message))
                continue
            chains, provenance = _chains(ctx, view, service, port, _Bind(address, ranges, listener), found)
            wanted.append(
                Contribution(address, port.number, port.protocol, service.host, service.source, path, chains, provenance, listener.bound)
            )
    return Compiled(tuple(wanted), tuple(found))


def _listened(service: Service, listener: EgressListener) -> Iterator[tuple[int, ServicePort]]:
    """Yield the ports to listen on with their places in the service: its own, or the one port of the listener."""
    if listener.protocol is None:
        yield from enumerate(service.ports)
        return
    index = next((index for index, port in enumerate(service.ports) if port.number == listener.port), 0)
    if service.ports:
        yield index, replace(service.ports[index], number=listener.port, protocol=listener.protocol)


@dataclass(frozen=True, slots=True)
class _Bind:
    """An address to listen on, the ranges that its chains are limited to, and the egress listener that it is for."""

    address: str
    ranges: tuple[str, ...]
    listener: EgressListener


def headless_addresses(ctx: Context, host: str, namespace: str, port_name: str) -> tuple[str, ...]:
    """Return the IPs behind a port of a service without a VIP, sorted (tracked): the only endpoints that listeners ever depend on."""
    served = (endpoint for endpoint in ctx.derive(endpoints, host, namespace) if endpoint.port_name == port_name)
    return tuple(sorted({each for endpoint in served for each in (endpoint.address, *endpoint.other_addresses) if is_ip(each)}))


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
    return replace(view, namespace=STRANGER, dns_domain="", labels=(), sidecar=None, listener=None, http_proxy_port=0)


def _binds(
    ctx: Context, view: OutboundView, service: Service, port: ServicePort, listener: EgressListener
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return listen addresses of a TCP or sniffed port, each with the address ranges that its chains are limited to."""
    wildcard = view.families.wildcard
    plain = tuple(address for address in service.addresses if "/" not in address)
    if view.dns_capture and not service.addresses:
        plain = _of_families(service.automatic_addresses, view.families)
    if service.registry is ServiceRegistry.KUBERNETES:
        plain = _of_families(plain, view.families)
    ranges = tuple(sorted(address for address in service.addresses if "/" in address))
    binds = tuple((address, ()) for address in plain)
    if ranges:
        return (*binds, (wildcard, ranges))
    if binds:
        return binds
    if service.resolution is not Resolution.PASSTHROUGH or not listener.is_catch_all:
        return ((wildcard, ()),)
    addresses = ctx.derive(headless_addresses, service.host, service.namespace, port.name)
    if not addresses and service.registry is not ServiceRegistry.KUBERNETES and not service.selector:
        return ((wildcard, ()),)
    return tuple((address, ()) for address in addresses)


def _of_families(addresses: tuple[str, ...], families: IpFamilies) -> tuple[str, ...]:
    """Return the addresses of the families of the proxy; all of them where none is left: no proxy can be without a listener."""
    match families:
        case IpFamilies.V4:
            found = tuple(address for address in addresses if ":" not in address)
        case IpFamilies.V6:
            found = tuple(address for address in addresses if ":" in address)
        case IpFamilies.DUAL:
            found = addresses
        case _:
            assert_never(families)
    return found or addresses


def _chains(
    ctx: Context, view: OutboundView, service: Service, port: ServicePort, bind: _Bind, found: list[Diagnostic]
) -> tuple[tuple[FilterChainInput, ...], tuple[ObjectKey, ...]]:
    kind = port_class(port.protocol)
    wildcard = bind.address == view.families.wildcard
    shared_route = bind.listener.route or str(port.number)
    if kind is PortClass.HTTP:  # it has any other address to itself
        chain = HttpChain(view.http10, bind.address, port.number, shared_route, port.protocol, sniffed=wildcard)
        return (ctx.derive(http_chain, chain),), (service.source,)
    chains, provenance = _l4_chains(ctx, view, service, port, bind, wildcard=wildcard, found=found)
    if kind is PortClass.AUTO:
        route = shared_route if wildcard or not bind.listener.is_catch_all else f"{service.host}:{port.number}"
        chain = HttpChain(view.http10, bind.address, port.number, route, port.protocol, sniffed=True)
        chains = (*chains, ctx.derive(http_chain, chain))
    return chains, provenance


@dataclass(frozen=True, slots=True)
class HttpChain:
    """A chain that takes HTTP: only what is recognised as plain HTTP where it is ``sniffed``, else everything."""

    http10: bool
    address: str
    port: int
    route: str
    protocol: Protocol
    sniffed: bool


def http_chain(ctx: Context, chain: HttpChain) -> FilterChainInput:
    """Return the chain (tracked)."""
    manager = outbound_manager(
        ctx.derive(listener_settings),
        listener_name(chain.address, chain.port),
        chain.route,
        protocol=chain.protocol,
        http10=chain.http10,
        absolute_url=chain.protocol is Protocol.HTTP_PROXY,
    )
    if not chain.sniffed:
        return FilterChainInput(manager)
    match = ChainMatchInput(transport_protocol="raw_buffer", application_protocols=application_protocols(http10=chain.http10))
    return FilterChainInput(manager, match)


def listener_name(address: str, port: int) -> str:
    """Return ``<address>_<port>``, or the path of a socket."""
    return f"{address}_{port}" if port else address


def _l4_chains(
    ctx: Context,
    view: OutboundView,
    service: Service,
    port: ServicePort,
    bind: _Bind,
    *,
    wildcard: bool,
    found: list[Diagnostic],
) -> tuple[tuple[FilterChainInput, ...], tuple[ObjectKey, ...]]:
    client = L4Client(view.namespace, view.labels, MESH, port.number, lambda host: scope_service(ctx, view, host), view.families)
    rules = [item for item in ctx.derive(l4_virtual_services, view) if any(matches(service.host, host) for host in item.hosts)]
    if not bind.listener.is_catch_all and len(service.ports) == 1:
        port = replace(port, number=service.ports[0].number)
    planner = _L4Chains(ctx, client, service, port, bind.ranges, found)
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
        self.provenance: dict[ObjectKey, None] = dict.fromkeys(service.sources)

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
