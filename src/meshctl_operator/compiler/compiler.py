"""Everything that one proxy is served: gathered for its profile, which it shares with all proxies that are served the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Compiled, Diagnostic, sorted_unique
from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.compiler.emit.resources import cluster_resource, listener_resource, secret_resource
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.inputs.listeners import ListenerInput, authority_names, key_pair_names, rds_names
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.outbound import outbound_clusters, outbound_endpoints, upstream_secret_names, view_reach
from meshctl_operator.compiler.plan.dynamic_dns import dns_cache, with_caches
from meshctl_operator.compiler.plan.gateway_listeners import plan_gateway_listeners
from meshctl_operator.compiler.plan.inbound_clusters import plan_inbound_clusters
from meshctl_operator.compiler.plan.inbound_listeners import plan_inbound_listeners, refusing
from meshctl_operator.compiler.plan.lacking import without
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.compiler.plan.secret_names import SecretRole, role_of
from meshctl_operator.compiler.plan.secrets import plan_secret
from meshctl_operator.compiler.plan.sni_clusters import plan_sni_clusters
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource, Resources
from meshctl_operator.compiler.routes import RouteTable, gateway_route, sidecar_route, virtual_hosts
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import codes, projection
from meshctl_operator.model.dynamic_hosts import visible_dynamic_hosts
from meshctl_operator.model.mesh import mesh_settings
from meshctl_operator.model.proxies import IpFamilies, Proxy, ProxyRole
from meshctl_operator.model.security import denial
from meshctl_operator.model.views import EndpointView, GatewayView, InboundView, OutboundView, SecretView
from meshctl_operator.xds.resources import TypeUrl


@dataclass(frozen=True, slots=True)
class Inbound:
    """The inbound side of a sidecar, compiled: most workloads have one of their own, those that serve nothing share theirs."""

    clusters: tuple[CompiledResource, ...] = ()
    listeners: tuple[CompiledResource, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


NO_INBOUND: Final = Inbound()


@hash_once
@dataclass(frozen=True, slots=True)
class Profile:
    """All that decides what a proxy is served. Proxies of one profile share everything, down to the mappings.

    ``hidden`` are the names of outbound listeners for addresses of the workload itself, which is an endpoint of a headless service: what
    a workload sends to itself is not captured.
    """

    outbound: OutboundView
    where: EndpointView
    inbound: Inbound = NO_INBOUND
    hidden: tuple[str, ...] = ()
    gateway: GatewayView | None = None
    _hash: int = field(init=False, repr=False, compare=False)


def compile_proxy(ctx: Context, proxy: Proxy) -> CompiledProxy:
    """Compile everything that the proxy should hold.

    Never raises on user input: what Envoy would reject is left out and reported. An endpoint resource exists for each EDS cluster, a
    route configuration for each RDS name and a secret for each SDS name that a listener asks for.
    """
    return ctx.derive(compile_profile, ctx.derive(profile, proxy))


def profile(ctx: Context, proxy: Proxy) -> Profile:
    """Return the profile of a proxy (tracked)."""
    outbound = projection.outbound_view(ctx, proxy)
    where = ctx.derive(view_reach, outbound).narrowed(projection.endpoint_view(proxy))
    if proxy.role is not ProxyRole.SIDECAR:
        return Profile(outbound, where, gateway=projection.gateway_view(proxy))
    captured = ctx.derive(sidecar_listeners, outbound).value.captured
    return Profile(
        outbound,
        where,
        inbound=ctx.derive(_inbound, projection.inbound_view(ctx, proxy)),
        hidden=tuple(name for address, name in captured if address in proxy.ips),
    )


def compile_profile(ctx: Context, profile: Profile) -> CompiledProxy:
    """Compile everything that proxies of the profile should hold (tracked)."""
    found: list[Diagnostic] = [*profile.inbound.diagnostics, *ctx.derive(outbound_clusters, profile.outbound).diagnostics]
    if profile.gateway is not None:
        served = ctx.derive(_gateway_listeners, profile.gateway)
    else:
        served = ctx.derive(_outbound_listeners, profile.outbound)
    found += served.diagnostics
    upstream = ctx.derive(upstream_secrets, profile.outbound)
    found += upstream.diagnostics
    tables = served.value.tables
    return CompiledProxy(
        {
            TypeUrl.CLUSTER: ctx.derive(_all_clusters, profile),
            TypeUrl.ENDPOINT: outbound_endpoints(ctx, profile.outbound, profile.where),
            TypeUrl.LISTENER: ctx.derive(_all_listeners, profile),
            TypeUrl.ROUTE: served.value.routes,
            TypeUrl.VIRTUAL_HOST: served.value.virtual_hosts,
            TypeUrl.SECRET: served.value.secrets.with_items(dict(upstream.value)),
        },
        sorted_unique(found),
        lambda: _by_name(table.whole() for table in tables),
    )


def _all_clusters(ctx: Context, profile: Profile) -> Resources:
    outbound = ctx.derive(outbound_clusters, profile.outbound).value
    if profile.gateway is not None:
        return _completed(outbound, tuple(ctx.derive(_cluster, plan) for plan in plan_sni_clusters(ctx, profile.outbound, profile.gateway)))
    return _completed(outbound, profile.inbound.clusters)


def _all_listeners(ctx: Context, profile: Profile) -> Resources:
    compiled = ctx.derive(router_listeners, profile.gateway) if profile.gateway else ctx.derive(sidecar_listeners, profile.outbound)
    return _completed(compiled.value.listeners.without(profile.hidden), profile.inbound.listeners)


def _completed(outbound: Resources, inbound: tuple[CompiledResource, ...]) -> Resources:
    """Return both; of two with one name the outbound one stays. The very mapping given where there is nothing to add."""
    return outbound.with_items({resource.name: resource for resource in inbound if resource.name not in outbound})


def _inbound(ctx: Context, view: InboundView) -> Inbound:
    clusters, listeners = plan_inbound_clusters(ctx, view), plan_inbound_listeners(ctx, view)
    return Inbound(
        tuple(ctx.derive(_cluster, cluster) for cluster in clusters.value),
        tuple(ctx.derive(_listener, listener) for listener in _understood(listeners.value, view.lacking)),
        (*clusters.diagnostics, *listeners.diagnostics),
    )


# Listeners, with what they ask for


@dataclass(frozen=True, slots=True)
class _Served:
    """What listeners ask for: route configurations (their tables, and these in split form) and secrets."""

    tables: tuple[RouteTable, ...]
    routes: Resources
    virtual_hosts: Resources
    secrets: Resources


@dataclass(frozen=True, slots=True)
class _Listeners:
    """Listeners, compiled, with the names that they ask for.

    ``secrets`` has (name, role); ``captured`` has (address, name) of the listeners for single addresses whose traffic is intercepted.
    """

    listeners: Resources
    routes: tuple[str, ...]
    secrets: tuple[tuple[str, SecretRole], ...]
    captured: tuple[tuple[str, str], ...]


def _outbound_listeners(ctx: Context, view: OutboundView) -> Compiled[_Served]:
    compiled = ctx.derive(sidecar_listeners, view)
    tables = tuple(ctx.derive(sidecar_route, view, name) for name in compiled.value.routes)
    return Compiled(_served(ctx, view, tables, EMPTY_MAP), compiled.diagnostics)


def _gateway_listeners(ctx: Context, view: GatewayView) -> Compiled[_Served]:
    compiled = ctx.derive(router_listeners, view)
    tables = tuple(ctx.derive(gateway_route, view, name) for name in compiled.value.routes)
    asked = (ctx.derive(_secret, SecretView(view.namespace), *secret) for secret in compiled.value.secrets)
    secrets = _by_name(secret for secret in asked if secret is not None)
    return Compiled(_served(ctx, view, tables, secrets), compiled.diagnostics)


def _served(ctx: Context, view: OutboundView | GatewayView, tables: tuple[RouteTable, ...], secrets: Resources) -> _Served:
    names = tuple(table.name for table in tables)
    return _Served(tables, _by_name(table.split() for table in tables), ctx.derive(virtual_hosts, view, names), secrets)


def sidecar_listeners(ctx: Context, view: OutboundView) -> Compiled[_Listeners]:
    """Return the outbound listeners of a view, and what they ask for (tracked)."""
    plan = plan_outbound_listeners(ctx, view)
    return Compiled(_listeners(ctx, _understood(plan.value, view.lacking)), plan.diagnostics)


def router_listeners(ctx: Context, view: GatewayView) -> Compiled[_Listeners]:
    """Return the listeners of a gateway, and what they ask for (tracked)."""
    plan = plan_gateway_listeners(ctx, view)
    policies = ctx.derive(denial, view.namespace, view.labels, ProxyRole.ROUTER).policies
    listeners = tuple(_refusing(listener, policies) for listener in plan.value) if policies else plan.value
    caches = tuple(dns_cache(host, IpFamilies.V4) for host, ports in ctx.derive(visible_dynamic_hosts, view.namespace) if ports)
    if caches:
        listeners = tuple(replace(listener, input=with_caches(listener.input, caches)) for listener in listeners)
    return Compiled(_listeners(ctx, _understood(listeners, view.lacking)), plan.diagnostics)


def _understood(listeners: tuple[Planned[ListenerInput], ...], lacking: tuple[str, ...]) -> tuple[Planned[ListenerInput], ...]:
    """Return the listeners without filters that the proxy was built without."""
    return tuple(replace(listener, input=without(listener.input, lacking)) for listener in listeners) if lacking else listeners


def _refusing(listener: Planned[ListenerInput], policies: tuple[ObjectKey, ...]) -> Planned[ListenerInput]:
    """Return the listener with chains that refuse everything, for the sake of policies that cannot be enforced."""
    default = listener.input.default_chain
    closed = replace(
        listener.input,
        filter_chains=tuple(map(refusing, listener.input.filter_chains)),
        default_chain=None if default is None else refusing(default),
    )
    return planned(closed, (*listener.provenance, *policies))


def _listeners(ctx: Context, plan: tuple[Planned[ListenerInput], ...]) -> _Listeners:
    return _Listeners(
        _by_name(ctx.derive(_listener, listener) for listener in plan),
        _asked_for(plan, rds_names),
        (
            *((name, SecretRole.KEY_PAIR) for name in _asked_for(plan, key_pair_names)),
            *((name, SecretRole.AUTHORITY) for name in _asked_for(plan, authority_names)),
        ),
        tuple((each.input.address, each.input.name) for each in plan if each.input.bind_to_port is False),
    )


def _cluster(_ctx: Context, plan: Planned[ClusterInput]) -> CompiledResource:
    return cluster_resource(plan)


def _listener(_ctx: Context, plan: Planned[ListenerInput]) -> CompiledResource:
    return listener_resource(plan)


def _secret(ctx: Context, view: SecretView, name: str, role: SecretRole | None = None) -> CompiledResource | None:
    plan = plan_secret(ctx, view, name, role)
    return None if plan is None else secret_resource(plan)


def upstream_secrets(ctx: Context, view: OutboundView) -> Compiled[Resources]:
    """Return the secrets that the clusters of a view ask for, as far as they can be served (tracked)."""
    secrets: list[CompiledResource] = []
    found: list[Diagnostic] = []
    where = SecretView(view.namespace)
    for name, wanted in ctx.derive(upstream_secret_names, view):
        secret = ctx.derive(_secret, where, name, role_of(name))
        if secret is not None:
            secrets.append(secret)
        else:
            assumed = (
                "it is taken to exist where this is served" if mesh_settings(ctx).assumes_secrets else "its connections fail until then"
            )
            message = f"{name} has nothing to serve in namespace {view.namespace!r}: {assumed}"
            rules = [key for key in wanted if key.kind == Kind.DESTINATION_RULE]
            found += [codes.UPSTREAM_CREDENTIAL.warning(key, "spec.trafficPolicy.tls.credentialName", message) for key in rules]
    return Compiled(_by_name(secrets), tuple(found))


def _asked_for(listeners: Iterable[Planned[ListenerInput]], names: Callable[[ListenerInput], Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for listener in listeners for name in names(listener.input)}))


def _by_name(resources: Iterable[CompiledResource]) -> Resources:
    """Return the resources by name; of two with one name the first stays (Istio's order of generation)."""
    first: dict[str, CompiledResource] = {}
    for resource in resources:
        first.setdefault(resource.name, resource)
    return ShardedMap.of(first)


LEAVES: Final = (_cluster, _listener, _secret)
"""The derivations that emit resources."""
