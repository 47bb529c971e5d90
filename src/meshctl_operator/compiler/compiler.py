"""Everything that one proxy is served: plans its views, emits each Input once, and keeps provenance beside the bytes."""

from __future__ import annotations

from collections.abc import Iterable
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
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import projection
from meshctl_operator.model.proxies import Proxy, ProxyRole

T = TypeVar("T")


def compile_proxy(ctx: Context, proxy: Proxy) -> CompiledProxy:
    """Compile everything that the proxy should hold.

    Never raises on user input: what Envoy would reject is left out and reported. An endpoint resource exists for each EDS cluster, a
    route configuration for each RDS name and a secret for each SDS name that a listener asks for.
    """
    found: list[Diagnostic] = []
    outbound = projection.outbound_view(ctx, proxy)
    clusters = _take(ctx.derive(plan_outbound_clusters, outbound), found)
    listeners: tuple[Planned[ListenerInput], ...]
    if proxy.role is ProxyRole.SIDECAR:
        inbound = projection.inbound_view(ctx, proxy)
        clusters += _take(ctx.derive(plan_inbound_clusters, inbound), found)
        listeners = _not_its_own(_take(ctx.derive(plan_outbound_listeners, outbound), found), proxy)
        listeners += _take(ctx.derive(plan_inbound_listeners, inbound), found)
    else:
        listeners = _take(ctx.derive(plan_gateway_listeners, projection.gateway_view(proxy)), found)

    cluster_resources = _by_name(ctx.derive(_cluster, cluster) for cluster in clusters)
    where = projection.endpoint_view(proxy)
    eds_names = sorted({cluster.eds_name for cluster in cluster_resources.values() if cluster.eds_name})
    endpoints = _by_name(ctx.derive(_endpoint, ctx.derive(plan_endpoints, outbound, where, name)) for name in eds_names)
    routes = _by_name(
        ctx.derive(_route, _take(_plan_route(ctx, proxy, name), found))
        for name in sorted({name for listener in listeners for name in rds_names(listener.input)})
    )
    secrets = _by_name(
        ctx.derive(_secret, secret)
        for name in sorted({name for listener in listeners for name in secret_names(listener.input)})
        if (secret := ctx.derive(plan_secret, projection.secret_view(proxy), name)) is not None
    )
    return CompiledProxy(
        {
            emit.CLUSTER_TYPE: cluster_resources,
            emit.ENDPOINT_TYPE: endpoints,
            emit.LISTENER_TYPE: _by_name(ctx.derive(_listener, listener) for listener in listeners),
            emit.ROUTE_TYPE: routes,
            emit.SECRET_TYPE: secrets,
        },
        sorted_unique(found),
    )


def _not_its_own(listeners: tuple[Planned[ListenerInput], ...], proxy: Proxy) -> tuple[Planned[ListenerInput], ...]:
    """Return the outbound listeners without those for addresses of the workload itself, which is an endpoint of a headless service.

    What a workload sends to itself is not captured. The view knows no addresses, since then no two proxies could share it.
    """
    return tuple(each for each in listeners if each.input.bind_to_port is not False or each.input.address not in proxy.ips)


def _plan_route(ctx: Context, proxy: Proxy, name: str) -> Compiled[Planned[RouteConfigurationInput]]:
    if proxy.role is ProxyRole.SIDECAR:
        return ctx.derive(plan_sidecar_route, projection.outbound_view(ctx, proxy), name)
    return ctx.derive(plan_gateway_route, projection.gateway_view(proxy), name)


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
