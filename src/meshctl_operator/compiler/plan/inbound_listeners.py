"""Inbound listeners of a sidecar: the capture listener with a chain per target port, or, in the local mesh, a bound listener per port.

The mesh has no mutual TLS yet, so every chain is of the shape that Istio gives to a port with PeerAuthentication mode DISABLE.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler import listener_codes
from meshctl_operator.compiler.inputs.listeners import ChainMatchInput, Direction, FilterChainInput, ListenerInput
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
from meshctl_operator.compiler.plan.connection_managers import application_protocols, inbound_manager
from meshctl_operator.compiler.plan.listener_settings import ListenerSettings, listener_settings
from meshctl_operator.compiler.plan.outbound_services import PortClass, port_class
from meshctl_operator.compiler.plan.route_retries import plan_retries
from meshctl_operator.compiler.plan.tcp_routes import plain_proxy
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding
from meshctl_operator.model.targets import ServiceTarget, all_service_targets, service_targets
from meshctl_operator.model.views import InboundView

CAPTURE_LISTENER: Final = "virtualInbound"
WILDCARD: Final = "0.0.0.0"  # noqa: S104  (the capture listener takes redirected traffic for any address of the pod)
TPROXY_MARK: Final = 1337
"""The mark of connections that the sidecar opens in the name of a client; the interception rules let it through."""

DEFAULT_RETRY: Final = RetryInput(num_retries=2, retry_on="reset-before-request", previous_hosts=False)
"""What holds for requests to the application where the mesh says nothing (Istio's built-in inbound policy)."""


def plan_inbound_listeners(ctx: Context, view: InboundView) -> Compiled[tuple[Planned[ListenerInput], ...]]:
    """Return the inbound listeners of a sidecar, by port. Without interception there are none (tracked)."""
    targets = ctx.derive(service_targets, view)
    found = _protocol_conflicts(ctx, view, targets)
    if view.local is not None:
        return Compiled(tuple(_local(ctx, view, view.local, target) for target in targets), found)
    if view.interception is InterceptionMode.NONE:
        return Compiled((), found)
    return Compiled((_capture(ctx, view, targets),), found)


def _capture(ctx: Context, view: InboundView, targets: tuple[ServiceTarget, ...]) -> Planned[ListenerInput]:
    settings = ctx.derive(listener_settings)
    log = settings.access_log
    loop_guard = FilterChainInput(
        plain_proxy(BLACK_HOLE, log), ChainMatchInput(destination_port=settings.inbound_port), name=f"{CAPTURE_LISTENER}-blackhole"
    )
    chains = [loop_guard, *_passthrough_chains(settings, view)]
    for target in targets:
        chains += _target_chains(ctx, view, target, WILDCARD, destination_port=target.target_port)
    transparent = view.interception is InterceptionMode.TPROXY
    listener = ListenerInput(
        name=CAPTURE_LISTENER,
        address=WILDCARD,
        port=settings.inbound_port,
        direction=Direction.INBOUND,
        filter_chains=tuple(chains),
        transparent=transparent,
        original_dst_filter=True,
        original_src_mark=TPROXY_MARK if transparent else 0,
        http_inspector=True,
        uninspected_ports=tuple(target.target_port for target in targets if port_class(target.port.protocol) is not PortClass.AUTO),
        detection_timeout=settings.detection_timeout,
        max_accepts_per_event=1,
        access_log=log,
    )
    return planned(listener, (target.service.source for target in targets))


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


def _local(ctx: Context, view: InboundView, local: LocalBinding, target: ServiceTarget) -> Planned[ListenerInput]:
    """Return the listener of one target port, bound to the workload's own address on the machine that all share."""
    settings = ctx.derive(listener_settings)
    sniffed = port_class(target.port.protocol) is PortClass.AUTO
    listener = ListenerInput(
        name=f"{local.address}_{target.target_port}",
        address=local.address,
        port=dict(local.ports).get(target.target_port, target.target_port),
        direction=Direction.INBOUND,
        filter_chains=_target_chains(ctx, view, target, local.address, destination_port=0),
        reuse_port=False,
        http_inspector=sniffed,
        detection_timeout=settings.detection_timeout if sniffed else None,
        max_accepts_per_event=1,
        access_log=settings.access_log,
    )
    return planned(listener, (target.service.source,))


def _target_chains(
    ctx: Context, view: InboundView, target: ServiceTarget, address: str, *, destination_port: int
) -> tuple[FilterChainInput, ...]:
    """Return the chains of one target port: HTTP, TCP, or both where the protocol is sniffed.

    ``destination_port`` is 0 where the listener itself stands for the port; a declared protocol needs no match at all then.
    """
    settings = ctx.derive(listener_settings)
    kind = port_class(target.port.protocol)
    name = f"{address}_{target.target_port}"
    plain = ChainMatchInput(destination_port=destination_port, transport_protocol="raw_buffer" if destination_port else "")
    cluster = inbound_cluster(target.target_port)
    route = _inline_route(
        cluster,
        port=target.port.number,
        decorator=f"{target.service.host}:{target.port.number}/*",
        retry=_retry(ctx, target.port.protocol),
    )
    manager = inbound_manager(settings, f"inbound_{name};", route, protocol=target.port.protocol, http10=view.http10)
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
