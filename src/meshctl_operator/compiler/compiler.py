"""Everything that one proxy is served: plans its views, emits each Input once, and keeps provenance beside the bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from meshctl_operator.base.diagnostics import Compiled, Diagnostic, sorted_unique
from meshctl_operator.compiler.emit import resources as emit
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.listeners import ListenerInput, rds_names, secret_names
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.inputs.secrets import SecretInput
from meshctl_operator.compiler.plan.clusters import plan_inbound_clusters, plan_outbound_clusters
from meshctl_operator.compiler.plan.endpoints import plan_endpoints
from meshctl_operator.compiler.plan.gateway_listeners import plan_gateway_listeners
from meshctl_operator.compiler.plan.gateway_routes import plan_gateway_route
from meshctl_operator.compiler.plan.inbound_listeners import plan_inbound_listeners
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.compiler.plan.secrets import plan_secret
from meshctl_operator.compiler.plan.sidecar_routes import plan_sidecar_route
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource, Resources
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import projection
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.model.views import EndpointView, GatewayView, InboundView, OutboundView, SecretView

T = TypeVar("T")


def compile_proxy(ctx: Context, proxy: Proxy) -> CompiledProxy:
    """Compile everything that the proxy should hold.

    Never raises on user input: what Envoy would reject is left out and reported. An endpoint resource exists for each EDS cluster, a
    route configuration for each RDS name and a secret for each SDS name that a listener asks for. Each part is compiled for a view, so
    proxies that see the same share it, down to the mapping.
    """
    found: list[Diagnostic] = []
    outbound = projection.outbound_view(ctx, proxy)
    clusters = _take(ctx.derive(_outbound_clusters, outbound), found)
    endpoints = ctx.derive(_endpoints, outbound, projection.endpoint_view(proxy))
    if proxy.role is ProxyRole.SIDECAR:
        inbound = projection.inbound_view(ctx, proxy)
        clusters = _joined(clusters, _take(ctx.derive(_inbound_clusters, inbound), found))
        served = _take(ctx.derive(_outbound_listeners, outbound), found)
        listeners = _joined(_without_own(served, proxy.ips), _take(ctx.derive(_inbound_listeners, inbound), found))
    else:
        served = _take(ctx.derive(_gateway_listeners, projection.gateway_view(proxy)), found)
        listeners = served.listeners
    return CompiledProxy(
        {
            emit.CLUSTER_TYPE: clusters,
            emit.ENDPOINT_TYPE: endpoints,
            emit.LISTENER_TYPE: listeners,
            emit.ROUTE_TYPE: served.routes,
            emit.SECRET_TYPE: served.secrets,
        },
        sorted_unique(found),
    )


@dataclass(frozen=True, slots=True)
class _Served:
    """Listeners with the route configurations and secrets that they ask for.

    ``captured`` has (address, name) of the listeners for single addresses whose traffic is intercepted.
    """

    listeners: Resources
    routes: Resources
    secrets: Resources
    captured: tuple[tuple[str, str], ...] = ()


def _outbound_clusters(ctx: Context, view: OutboundView) -> Compiled[Resources]:
    plan = ctx.derive(plan_outbound_clusters, view)
    return Compiled(_by_name(ctx.derive(_cluster, cluster) for cluster in plan.value), plan.diagnostics)


def _inbound_clusters(ctx: Context, view: InboundView) -> Compiled[Resources]:
    plan = ctx.derive(plan_inbound_clusters, view)
    return Compiled(_by_name(ctx.derive(_cluster, cluster) for cluster in plan.value), plan.diagnostics)


def _endpoints(ctx: Context, view: OutboundView, where: EndpointView) -> Resources:
    names = ctx.derive(_eds_names, view)
    return _by_name(ctx.derive(_endpoint, ctx.derive(plan_endpoints, view, where, name)) for name in names)


def _eds_names(ctx: Context, view: OutboundView) -> tuple[str, ...]:
    """Return the endpoint resources that the clusters of a view ask for: mostly unchanged when a cluster changes."""
    clusters = ctx.derive(_outbound_clusters, view).value
    return tuple(sorted({cluster.eds_name for cluster in clusters.values() if cluster.eds_name}))


def _outbound_listeners(ctx: Context, view: OutboundView) -> Compiled[_Served]:
    plan = ctx.derive(plan_outbound_listeners, view)
    found = list(plan.diagnostics)
    routes = _by_name(
        ctx.derive(_route, _take(ctx.derive(plan_sidecar_route, view, name), found)) for name in _asked_for(plan.value, rds_names)
    )
    captured = tuple((each.input.address, each.input.name) for each in plan.value if each.input.bind_to_port is False)
    served = _Served(_by_name(ctx.derive(_listener, listener) for listener in plan.value), routes, {}, captured)
    return Compiled(served, tuple(found))


def _without_own(served: _Served, ips: tuple[str, ...]) -> Resources:
    """Return the outbound listeners without those for addresses of the workload itself, which is an endpoint of a headless service.

    What a workload sends to itself is not captured. The view knows no addresses, since then no two proxies could share it.
    """
    own = {name for address, name in served.captured if address in ips}
    return {name: listener for name, listener in served.listeners.items() if name not in own} if own else served.listeners


def _inbound_listeners(ctx: Context, view: InboundView) -> Compiled[Resources]:
    plan = ctx.derive(plan_inbound_listeners, view)
    return Compiled(_by_name(ctx.derive(_listener, listener) for listener in plan.value), plan.diagnostics)


def _gateway_listeners(ctx: Context, view: GatewayView) -> Compiled[_Served]:
    plan = ctx.derive(plan_gateway_listeners, view)
    found = list(plan.diagnostics)
    routes = _by_name(
        ctx.derive(_route, _take(ctx.derive(plan_gateway_route, view, name), found)) for name in _asked_for(plan.value, rds_names)
    )
    secrets = _by_name(
        ctx.derive(_secret, secret)
        for name in _asked_for(plan.value, secret_names)
        if (secret := ctx.derive(plan_secret, SecretView(view.namespace), name)) is not None
    )
    served = _Served(_by_name(ctx.derive(_listener, listener) for listener in plan.value), routes, secrets)
    return Compiled(served, tuple(found))


def _asked_for(listeners: Iterable[Planned[ListenerInput]], names: Callable[[ListenerInput], Iterable[str]]) -> list[str]:
    return sorted({name for listener in listeners for name in names(listener.input)})


def _joined(one: Resources, other: Resources) -> Resources:
    """Return both by name in order; of two with one name the first stays. The very mapping given where there is nothing to join."""
    return _by_name((*one.values(), *other.values())) if other else one


def _take(compiled: Compiled[T], found: list[Diagnostic]) -> T:
    found.extend(compiled.diagnostics)
    return compiled.value


def _by_name(resources: Iterable[CompiledResource]) -> dict[str, CompiledResource]:
    """Return the resources by name in the order of the names; of two with one name the first stays (Istio's order of generation)."""
    first: dict[str, CompiledResource] = {}
    for resource in resources:
        first.setdefault(resource.name, resource)
    return dict(sorted(first.items()))


def _cluster(_ctx: Context, planned: Planned[ClusterInput]) -> CompiledResource:
    return emit.cluster_resource(planned)


def _endpoint(_ctx: Context, planned: Planned[EndpointsInput]) -> CompiledResource:
    return emit.endpoint_resource(planned)


def _listener(_ctx: Context, planned: Planned[ListenerInput]) -> CompiledResource:
    return emit.listener_resource(planned)


def _route(_ctx: Context, planned: Planned[RouteConfigurationInput]) -> CompiledResource:
    return emit.route_resource(planned)


def _secret(_ctx: Context, planned: Planned[SecretInput]) -> CompiledResource:
    return emit.secret_resource(planned)
