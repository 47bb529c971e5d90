"""Plans of a whole view, put together from the parts that the compiler plans one by one."""

from __future__ import annotations

from meshctl_operator.base.diagnostics import Compiled
from meshctl_operator.base.shards import SHARDS
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, VirtualHostInput
from meshctl_operator.compiler.names import split_outbound_cluster
from meshctl_operator.compiler.plan.clusters import Client, clients, plan_fixed_clusters, plan_service_clusters
from meshctl_operator.compiler.plan.endpoints import plan_endpoints
from meshctl_operator.compiler.plan.gateway_routes import GatewayHost, gateway_shell, plan_gateway_table
from meshctl_operator.compiler.plan.http_routes import plan_routes
from meshctl_operator.compiler.plan.sidecar_routes import plan_catch_all, plan_sidecar_hosts, plan_virtual_host, sidecar_shell
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.scopes import scope, scope_service
from meshctl_operator.model.views import EndpointView, GatewayView, OutboundView


def _client(view: OutboundView) -> Client:
    return clients(view)[0]


def plan_outbound_clusters(ctx: Context, view: OutboundView) -> Compiled[tuple[Planned[ClusterInput], ...]]:
    """Return the clusters of everything that the view can send to, in the order of its scope, then the fixed ones."""
    plans = [ctx.derive(plan_service_clusters, _client(view), service) for service in ctx.derive(scope, view).services]
    clusters = (*(cluster for plan in plans for cluster in plan.value), *ctx.derive(plan_fixed_clusters, view.role))
    return Compiled(clusters, tuple(finding for plan in plans for finding in plan.diagnostics))


def endpoints_of_cluster(ctx: Context, view: OutboundView, where: EndpointView, cluster: str) -> Planned[EndpointsInput]:
    """Return the endpoints of one cluster of a view."""
    name = split_outbound_cluster(cluster)
    assert name is not None, cluster
    service = ctx.derive(scope_service, view, name[2])
    assert service is not None, name
    (found,) = ctx.derive(plan_endpoints, _client(view), where, service, (cluster,))
    return found


def plan_sidecar_route(ctx: Context, view: OutboundView, name: str) -> Planned[RouteConfigurationInput]:
    """Return a route configuration of a sidecar with its virtual hosts in order."""
    entries = sorted((entry for shard in ctx.derive(plan_sidecar_hosts, view, name) for entry in shard), key=lambda entry: entry.name)
    hosts = [ctx.derive(plan_virtual_host, entry) for entry in entries]
    last = ctx.derive(plan_catch_all, view, name)
    virtual_hosts = (*(host.input for host in hosts), *(() if last is None else (last,)))
    return planned(_with(sidecar_shell(name), virtual_hosts), (key for host in hosts for key in host.provenance))


def plan_gateway_route(ctx: Context, view: GatewayView, name: str) -> Planned[RouteConfigurationInput]:
    """Return a route configuration of a gateway with its virtual hosts in order."""
    table = ctx.derive(plan_gateway_table, view, name)
    if table is None:
        return planned(gateway_shell(name, None), ())
    hosts = [_gateway_host(ctx, host) for number in range(SHARDS) for host in table.shards[number]]
    virtual_hosts = tuple(sorted((host.input for host in hosts), key=lambda host: host.name))
    if table.fallback is not None:
        virtual_hosts = (table.fallback,)
    return planned(_with(gateway_shell(name, table), virtual_hosts), (*table.gateways, *(key for host in hosts for key in host.provenance)))


def _with(shell: RouteConfigurationInput, virtual_hosts: tuple[object, ...]) -> RouteConfigurationInput:
    return RouteConfigurationInput(shell.name, virtual_hosts, shell.ignore_port_in_host_matching, shell.max_direct_response_body)  # type: ignore[arg-type]


def _gateway_host(ctx: Context, host: GatewayHost) -> Planned[VirtualHostInput]:
    """Return a virtual host with the routes of its VirtualServices one after the other, each once, those that match everything last."""
    plans = [ctx.derive(plan_routes, target, key) for target, key in host.sources]
    routes = sorted(dict.fromkeys(route for plan in plans for route in plan.routes), key=lambda route: route.match.is_catch_all)
    provenance = (key for plan in plans for key in plan.provenance)
    return planned(VirtualHostInput(host.name, host.domains, tuple(routes), host.require_tls), provenance)
