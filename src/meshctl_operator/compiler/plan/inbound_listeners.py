"""Inbound listeners of a sidecar: the capture listener with a chain per target port, or, in the local mesh, a bound listener per port.

The mesh has no mutual TLS yet, so every chain is of the shape that Istio gives to a port with PeerAuthentication mode DISABLE.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final, assert_never

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import (
    ChainMatchInput,
    Direction,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
)
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import (
    ForwardInput,
    RetryInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
)
from meshctl_operator.compiler.names import BLACK_HOLE, INBOUND_PASSTHROUGH, inbound_cluster
from meshctl_operator.compiler.ordering import HttpFilterName, http_filter_order
from meshctl_operator.compiler.plan.connection_managers import application_protocols, inbound_manager
from meshctl_operator.compiler.plan.listener_settings import ListenerSettings, listener_settings
from meshctl_operator.compiler.plan.outbound_services import PortClass, port_class
from meshctl_operator.compiler.plan.route_retries import plan_retries
from meshctl_operator.compiler.plan.tcp_routes import plain_proxy
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.ingress_listeners import Ingress, ingress_listeners
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode, IpFamilies, LocalBinding, ProxyRole
from meshctl_operator.model.security import denial
from meshctl_operator.model.targets import ServiceTarget, all_service_targets, service_targets
from meshctl_operator.model.views import InboundView

CAPTURE_LISTENER: Final = "virtualInbound"
TPROXY_MARK: Final = 1337
"""The mark of connections that the sidecar opens in the name of a client; the interception rules let it through."""

DEFAULT_RETRY: Final = RetryInput(num_retries=2, retry_on="reset-before-request", previous_hosts=False)
"""What holds for requests to the application where the mesh says nothing (Istio's built-in inbound policy)."""


def plan_inbound_listeners(ctx: Context, view: InboundView) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the inbound listeners of a sidecar, by port. Without interception there are none (tracked)."""
    ingress = ctx.derive(ingress_listeners, view)
    found: tuple[Diagnostic, ...] = ()
    if ingress:
        ports = tuple(_ingress_port(ctx, each) for each in ingress)
    else:
        targets = ctx.derive(service_targets, view)
        found = _protocol_conflicts(ctx, view, targets)
        ports = tuple(_service_port(ctx, target) for target in targets)
    if view.local is not None:
        return Compiled(tuple(_local(ctx, view, view.local, port) for port in ports), found)
    listeners = [_bound(ctx, view, port) for port in ports if port.bound]
    if view.interception is not InterceptionMode.NONE:
        listeners.append(_capture(ctx, view, tuple(port for port in ports if not port.bound)))
    return Compiled(tuple(sorted(listeners, key=lambda listener: listener.input.name)), found)


@dataclass(frozen=True, slots=True)
class _Port:
    """A port of the workload that is served: ``number`` is the workload's own, ``service_port`` that of its service.

    ``retry`` is what holds for requests to the application. ``address`` is where a ``bound`` one listens.
    """

    number: int
    service_port: int
    protocol: Protocol
    host: str
    source: ObjectKey
    retry: RetryInput | None
    address: str = ""
    bound: bool = False


def _service_port(ctx: Context, target: ServiceTarget) -> _Port:
    protocol = target.port.protocol
    return _Port(target.target_port, target.port.number, protocol, target.service.host, target.service.source, _retry(ctx, protocol))


def _ingress_port(ctx: Context, ingress: Ingress) -> _Port:
    host = f"{ingress.sidecar.name}.{ingress.sidecar.namespace}"
    retry = _retry(ctx, ingress.protocol)
    return _Port(ingress.port, ingress.port, ingress.protocol, host, ingress.sidecar, retry, ingress.address, ingress.bound)


def _bound(ctx: Context, view: InboundView, port: _Port) -> Planned[ListenerInput]:
    """Return the listener of one port that the Sidecar has bound: where it says, else on the workload's own address.

    On any address it would be in the way of an application that listens on the same port of the loopback address.
    """
    settings = ctx.derive(listener_settings)
    address = port.address or next(filter(_is_unicast, view.ips), view.families.wildcard)
    sniffed = port_class(port.protocol) is PortClass.AUTO
    chains, policies = _target_chains(ctx, view, port, address, destination_port=0)
    listener = ListenerInput(
        name=f"{address}_{port.number}",
        address=address,
        port=port.number,
        direction=Direction.INBOUND,
        filter_chains=chains,
        bind_to_port=True,
        http_inspector=sniffed,
        detection_timeout=settings.detection_timeout if sniffed else None,
        max_accepts_per_event=1,
        access_log=settings.access_log,
    )
    return planned(listener, (port.source, *policies))


def _is_unicast(ip: str) -> bool:
    """Tell whether others can reach an address: neither loopback, nor link-local, nor unspecified."""
    found = ip_address(ip)
    return not (found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast)


def _capture(ctx: Context, view: InboundView, ports: tuple[_Port, ...]) -> Planned[ListenerInput]:
    settings = ctx.derive(listener_settings)
    log = settings.access_log
    loop_guard = FilterChainInput(
        plain_proxy(BLACK_HOLE, log), ChainMatchInput(destination_port=settings.inbound_port), name=f"{CAPTURE_LISTENER}-blackhole"
    )
    wildcard = view.families.wildcard
    refused = ctx.derive(denial, view.namespace, view.labels, ProxyRole.SIDECAR).of_port(0)
    chains = [loop_guard, *(_guarded(chain, refused) for chain in _passthrough_chains(settings, view))]
    policies = set(refused)
    for port in ports:
        own, keys = _target_chains(ctx, view, port, wildcard, destination_port=port.number)
        chains += own
        policies.update(keys)
    transparent = view.interception is InterceptionMode.TPROXY
    listener = ListenerInput(
        name=CAPTURE_LISTENER,
        address=wildcard,
        extra_addresses=("::",) if view.families is IpFamilies.DUAL else (),
        port=settings.inbound_port,
        direction=Direction.INBOUND,
        filter_chains=tuple(chains),
        transparent=transparent,
        original_dst_filter=True,
        original_src_mark=TPROXY_MARK if transparent else 0,
        http_inspector=True,
        uninspected_ports=tuple(port.number for port in ports if port_class(port.protocol) is not PortClass.AUTO),
        detection_timeout=settings.detection_timeout,
        max_accepts_per_event=1,
        access_log=log,
    )
    return planned(listener, (*(port.source for port in ports), *policies))


def _guarded(chain: FilterChainInput, policies: tuple[ObjectKey, ...]) -> FilterChainInput:
    """Return the chain; one that refuses everything where policies that cannot be enforced are for it."""
    return refusing(chain) if policies else chain


def refusing(chain: FilterChainInput) -> FilterChainInput:
    """Return the chain with a filter that refuses every connection or request."""
    network = chain.network
    if isinstance(network, HttpConnectionManagerInput):
        return replace(chain, network=replace(network, http_filters=http_filter_order((*network.http_filters, HttpFilterName.RBAC))))
    return replace(chain, network=replace(network, denied=True))


def _passthrough_chains(settings: ListenerSettings, view: InboundView) -> tuple[FilterChainInput, ...]:
    """Return the chains for ports that no service has: HTTP where it is recognised, so that it shows in statistics, else TCP."""
    route = _inline_route(INBOUND_PASSTHROUGH, port=0, decorator="", retry=None)
    manager = inbound_manager(settings, INBOUND_PASSTHROUGH, route, protocol=Protocol.UNSUPPORTED, http10=view.http10)
    return (
        FilterChainInput(
            manager,
            ChainMatchInput(transport_protocol="raw_buffer", application_protocols=application_protocols(http10=view.http10)),
            name=f"{CAPTURE_LISTENER}-catchall-http",
        ),
        FilterChainInput(
            plain_proxy(INBOUND_PASSTHROUGH, settings.access_log),
            ChainMatchInput(transport_protocol="raw_buffer"),
            name=CAPTURE_LISTENER,
        ),
    )


def _local(ctx: Context, view: InboundView, local: LocalBinding, port: _Port) -> Planned[ListenerInput]:
    """Return the listener of one target port, bound to the workload's own address on the machine that all share."""
    settings = ctx.derive(listener_settings)
    sniffed = port_class(port.protocol) is PortClass.AUTO
    chains, policies = _target_chains(ctx, view, port, local.address, destination_port=0)
    listener = ListenerInput(
        name=f"{local.address}_{port.number}",
        address=local.address,
        port=dict(local.ports).get(port.number, port.number),
        direction=Direction.INBOUND,
        filter_chains=chains,
        reuse_port=False,
        http_inspector=sniffed,
        detection_timeout=settings.detection_timeout if sniffed else None,
        max_accepts_per_event=1,
        access_log=settings.access_log,
    )
    return planned(listener, (port.source, *policies))


def _target_chains(
    ctx: Context, view: InboundView, port: _Port, address: str, *, destination_port: int
) -> tuple[tuple[FilterChainInput, ...], tuple[ObjectKey, ...]]:
    """Return the chains of one target port: HTTP, TCP, or both where the protocol is sniffed; and the policies that shut them.

    ``destination_port`` is 0 where the listener itself stands for the port; a declared protocol needs no match at all then.
    """
    policies = ctx.derive(denial, view.namespace, view.labels, ProxyRole.SIDECAR).of_port(port.number)
    chains = _open_chains(ctx, view, port, address, destination_port)
    return tuple(_guarded(chain, policies) for chain in chains), policies


def _open_chains(ctx: Context, view: InboundView, port: _Port, address: str, destination_port: int) -> tuple[FilterChainInput, ...]:
    settings = ctx.derive(listener_settings)
    kind = port_class(port.protocol)
    name = f"{address}_{port.number}"
    plain = ChainMatchInput(destination_port=destination_port, transport_protocol="raw_buffer" if destination_port else "")
    cluster = inbound_cluster(port.number)
    route = _inline_route(cluster, port=port.service_port, decorator=f"{port.host}:{port.service_port}/*", retry=port.retry)
    manager = inbound_manager(settings, f"inbound_{name};", route, protocol=port.protocol, http10=view.http10)
    tcp = FilterChainInput(plain_proxy(cluster, settings.access_log), plain, name=name)
    match kind:
        case PortClass.HTTP:
            return (FilterChainInput(manager, plain, name=name),)
        case PortClass.TCP | None:
            return (tcp,)
        case PortClass.AUTO:
            sniffed = replace(plain, transport_protocol="raw_buffer", application_protocols=application_protocols(http10=view.http10))
            return (FilterChainInput(manager, sniffed, name=name), tcp)
        case _:
            assert_never(kind)


def _inline_route(cluster: str, *, port: int, decorator: str, retry: RetryInput | None) -> RouteConfigurationInput:
    """Return the one route to the application. Attempts are not counted again: the header tells what the client's sidecar counted."""
    action = ForwardInput(cluster, grpc_timeout=None, stream_duration=Duration(0), retry=retry)
    host = VirtualHostInput(
        name=f"inbound|http|{port}",
        domains=("*",),
        routes=(RouteInput(RouteMatchInput(), action, name="default", decorator=decorator),),
        attempt_count=False,
    )
    return RouteConfigurationInput(cluster, (host,), ignore_port_in_host_matching=False, max_direct_response_body=None)


def _retry(ctx: Context, protocol: Protocol) -> RetryInput | None:
    """Return the retries towards the application; gRPC clients do their own."""
    if protocol in {Protocol.GRPC, Protocol.GRPC_WEB}:
        return None
    configured = mesh_config(ctx).default_inbound_http_retry_policy
    if configured is None:
        return DEFAULT_RETRY
    policy = plan_retries(configured)
    return replace(policy, previous_hosts=False) if policy else None  # there is one host only


def _protocol_conflicts(ctx: Context, view: InboundView, targets: tuple[ServiceTarget, ...]) -> tuple[Diagnostic, ...]:
    winners = {target.target_port: target for target in targets}
    found = []
    for target in ctx.derive(all_service_targets, view):
        winner = winners.get(target.target_port, target)
        if target.port.protocol is not winner.port.protocol:
            message = (
                f"{target.service.host} port {target.port.number} is {target.port.protocol.value}, but target port {target.target_port} is"
                f" served as {winner.port.protocol.value}, as {winner.service.host} declares it"
            )
            index = target.service.ports.index(target.port)
            found.append(listener_codes.INBOUND_PROTOCOL.warning(target.service.source, f"spec.ports[{index}]", message))
    return tuple(found)
