"""Clusters and endpoints of a view: compiled service by service, gathered shard by shard, shared wherever services look the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_SHARD, SHARDS, ShardedMap
from meshctl_operator.compiler.emit.resources import cluster_resource, endpoint_resource
from meshctl_operator.compiler.plan.clusters import Client, clients, plan_fixed_clusters, plan_service_clusters
from meshctl_operator.compiler.plan.endpoints import EndpointReach, endpoint_reach, plan_endpoints
from meshctl_operator.compiler.plan.outbound_services import stranger_view
from meshctl_operator.compiler.resources import CompiledResource, Resources
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.proxies import IpFamilies, ProxyRole
from meshctl_operator.model.scopes import scope_shard
from meshctl_operator.model.services import Service
from meshctl_operator.model.vantage import STRANGER, insiders_of_shard
from meshctl_operator.model.views import EndpointView, OutboundView


@dataclass(frozen=True, slots=True)
class _Discovered:
    """The EDS names that the clusters of a service ask for, and what of the place of a proxy their endpoints depend on."""

    names: tuple[str, ...]
    reach: EndpointReach


# Clusters


def outbound_clusters(ctx: Context, view: OutboundView) -> Compiled[Resources]:
    """Return the clusters of everything that the view can send to, and the fixed ones (tracked)."""
    shards = [ctx.derive(cluster_shard, view, number) for number in range(SHARDS)]
    services = ShardedMap(tuple(shard.value for shard in shards))
    fixed = {name: cluster for name, cluster in ctx.derive(_fixed_clusters, view.role, view.families).items() if name not in services}
    return Compiled(services.with_items(fixed), tuple(finding for shard in shards for finding in shard.diagnostics))


def cluster_shard(ctx: Context, view: OutboundView, number: int) -> Compiled[dict[str, CompiledResource]]:
    """Return the clusters of one shard of the scope (tracked)."""
    look = ctx.derive(_look, view, number)
    clusters: dict[str, CompiledResource] = {}
    found: list[Diagnostic] = []
    if look.shared is not None:
        shared = ctx.derive(cluster_shard, look.shared, number)
        if not (look.theirs or look.own):
            return shared
        if shared.diagnostics:  # some of them may be about what this view sees otherwise
            look = _Look(own=tuple(_seen(ctx, view, number)))
        else:
            clusters.update(shared.value)
            for client, service in look.theirs:
                for name in ctx.derive(_service_clusters, client, service).value:
                    del clusters[name]
    for client, service in look.own:
        compiled = ctx.derive(_service_clusters, client, service)
        clusters.update(compiled.value)
        found += compiled.diagnostics
    return Compiled(clusters or EMPTY_SHARD, tuple(found))


@dataclass(frozen=True, slots=True)
class _Look:
    """How a view sees the services of one shard: as strangers do, without those that strangers see otherwise, but with its own.

    ``shared`` is the view of the strangers, None where nothing is shared. Services stand with the client that they are compiled for.
    """

    shared: OutboundView | None = None
    theirs: tuple[tuple[Client, Service], ...] = ()
    own: tuple[tuple[Client, Service], ...] = ()


def _look(ctx: Context, view: OutboundView, number: int) -> _Look:
    """Return what the view shares with strangers; nothing where a Sidecar object limits it, or it is theirs (tracked)."""
    if view.sidecar is not None or view.namespace == STRANGER:
        return _Look(own=tuple(_seen(ctx, view, number)))
    hosts = {host for host, insiders in ctx.derive(insiders_of_shard, number).items() if view.namespace in insiders}
    shared = stranger_view(view)
    if not hosts:
        return _Look(shared)
    own, stranger = clients(view)
    return _Look(
        shared,
        tuple((stranger, service) for service in ctx.derive(scope_shard, shared, number) if service.host in hosts),
        tuple((own, service) for service in ctx.derive(scope_shard, view, number) if service.host in hosts),
    )


def _seen(ctx: Context, view: OutboundView, number: int) -> Iterable[tuple[Client, Service]]:
    """Yield the services of a shard, each with the client that its configuration depends on."""
    services = ctx.derive(scope_shard, view, number)
    if not services:
        return
    own, stranger = clients(view)
    insiders = ctx.derive(insiders_of_shard, number)
    for service in services:
        yield (own if view.namespace in insiders[service.host] else stranger), service


def _service_clusters(ctx: Context, client: Client, service: Service) -> Compiled[dict[str, CompiledResource]]:
    plan = plan_service_clusters(ctx, client, service)
    return Compiled(_by_name(map(cluster_resource, plan.value)), plan.diagnostics)


def _fixed_clusters(ctx: Context, role: ProxyRole, families: IpFamilies) -> dict[str, CompiledResource]:
    return _by_name(map(cluster_resource, plan_fixed_clusters(ctx, role, families)))


# Endpoints


def outbound_endpoints(ctx: Context, view: OutboundView, where: EndpointView) -> Resources:
    """Return the endpoints of the EDS clusters of a view for a proxy that stands ``where`` (tracked)."""
    return ctx.derive(endpoint_map, view, ctx.derive(view_reach, view).narrowed(where))


def endpoint_map(ctx: Context, view: OutboundView, where: EndpointView) -> Resources:
    """Return the endpoints of a view; ``where`` is narrowed to what matters (tracked)."""
    return ShardedMap(tuple(ctx.derive(endpoint_shard, view, where, number) for number in range(SHARDS)))


def endpoint_shard(ctx: Context, view: OutboundView, where: EndpointView, number: int) -> dict[str, CompiledResource]:
    """Return the endpoints of one shard of the scope; ``where`` is narrowed to what matters (tracked)."""
    look = ctx.derive(_look, view, number)
    found: dict[str, CompiledResource] = {}
    if look.shared is not None:
        shared = ctx.derive(endpoint_shard, look.shared, where, number)
        if not (look.theirs or look.own):
            return shared
        found.update(shared)
        for client, service in look.theirs:
            for name in ctx.derive(_discovered, client, service).names:
                del found[name]
    places: dict[EndpointReach, EndpointView] = {}  # services with the same reach are asked for from the very same place
    for client, service in look.own:
        discovered = ctx.derive(_discovered, client, service)
        if discovered.names:
            place = places.get(discovered.reach)
            if place is None:
                place = places[discovered.reach] = discovered.reach.narrowed(where)
            found.update(ctx.derive(_service_endpoints, client, place, service))
    return found or EMPTY_SHARD


@firewall
def _discovered(ctx: Context, client: Client, service: Service) -> _Discovered:
    clusters = ctx.derive(_service_clusters, client, service).value
    names = tuple(sorted({cluster.eds_name for cluster in clusters.values() if cluster.eds_name}))
    return _Discovered(names, endpoint_reach(ctx, client, service, names))


def _service_endpoints(ctx: Context, client: Client, where: EndpointView, service: Service) -> dict[str, CompiledResource]:
    names = ctx.derive(_discovered, client, service).names
    return _by_name(map(endpoint_resource, plan_endpoints(ctx, client, where, service, names)))


def view_reach(ctx: Context, view: OutboundView) -> EndpointReach:
    """Return what of the place of a proxy matters for any endpoint of the view (tracked)."""
    found = EndpointReach()
    for number in range(SHARDS):
        found = found.joined(ctx.derive(shard_reach, view, number))
    return found


def shard_reach(ctx: Context, view: OutboundView, number: int) -> EndpointReach:
    """Return what of the place of a proxy matters for the endpoints of one shard, or more than that (tracked)."""
    look = ctx.derive(_look, view, number)
    found = ctx.derive(shard_reach, look.shared, number) if look.shared is not None else EndpointReach()
    for client, service in look.own:
        discovered = ctx.derive(_discovered, client, service)
        if discovered.names:
            found = found.joined(discovered.reach)
    return found


def _by_name(resources: Iterable[CompiledResource]) -> dict[str, CompiledResource]:
    """Return the resources by name; of two with one name the first stays (Istio's order of generation)."""
    first: dict[str, CompiledResource] = {}
    for resource in resources:
        first.setdefault(resource.name, resource)
    return first


# Secrets


def upstream_secret_names(ctx: Context, view: OutboundView) -> tuple[tuple[str, tuple[ObjectKey, ...]], ...]:
    """Return the SDS names that clusters of the view ask for, sorted, each with the objects that want it (tracked)."""
    wanted: dict[str, dict[ObjectKey, None]] = {}
    for number in range(SHARDS):
        for name, keys in ctx.derive(secret_names_of_shard, view, number):
            wanted.setdefault(name, {}).update(dict.fromkeys(keys))
    return tuple((name, tuple(sorted(wanted[name]))) for name in sorted(wanted))


def secret_names_of_shard(ctx: Context, view: OutboundView, number: int) -> tuple[tuple[str, tuple[ObjectKey, ...]], ...]:
    """Return the SDS names that clusters of one shard ask for, with the objects that want them (tracked)."""
    clusters = ctx.derive(cluster_shard, view, number).value.values()
    return tuple((name, cluster.provenance) for cluster in clusters for name in cluster.secret_names)


LEAVES: Final = (_service_clusters, _fixed_clusters, _service_endpoints)
"""The derivations that emit resources."""
