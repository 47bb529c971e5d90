"""Plan the inbound clusters of a sidecar: one per port on which its workload serves."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.mesh_config import MESH_KEY, InboundMode
from meshctl_operator.apis.networking.destination_rule import ConnectionPool
from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.clusters import (
    BalancingInput,
    ClusterInput,
    Discovery,
    HttpInput,
    LbPolicy,
    MetadataInput,
    ServiceInfo,
    UpstreamHttp,
)
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, EndpointsInput, LbEndpointInput, LocalityInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import INBOUND_PASSTHROUGH, inbound_cluster
from meshctl_operator.compiler.plan import cluster_policies as policies
from meshctl_operator.compiler.plan.stat_names import STAT_DELIMITER, fill_stat_pattern
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.ingress_listeners import Ingress, ingress_listeners
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.policies import effective_policy, inbound_destination_rule
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import InterceptionMode, IpFamilies
from meshctl_operator.model.scopes import inbound_connection_pool
from meshctl_operator.model.targets import ServiceTarget, all_service_targets, service_targets
from meshctl_operator.model.views import InboundView

_INBOUND_SOURCE: Final = "127.0.0.6"  # marks what the proxy itself sends to its workload, so that it is not captured again
_INBOUND_SOURCE_V6: Final = "::6"
_PASSTHROUGH_IDLE: Final = Duration.of(seconds=300)


def plan_inbound_clusters(ctx: Context, view: InboundView) -> Compiled[tuple[Planned[ClusterInput], ...]]:
    """Return a cluster per target port of the workload, and the one for ports of no service.

    Captured traffic goes on to its original address, sent from 127.0.0.6, or to the loopback address where the mesh says so
    (``inboundTrafficPolicy`` LOCALHOST). In the local mesh nothing is captured: the application listens on a loopback port of its own, and
    ports of no service lead nowhere. Without interception there is no inbound side.
    """
    clusters: list[Planned[ClusterInput]] = []
    found: list[Diagnostic] = []
    ingress = ctx.derive(ingress_listeners, view)
    if ingress:
        clusters += [_plan_ingress(ctx, view, each, found) for each in ingress]
    elif view.local is not None or view.interception is not InterceptionMode.NONE:
        targets = ctx.derive(all_service_targets, view)
        for target in ctx.derive(service_targets, view):
            served = tuple(each for each in targets if each.target_port == target.target_port)
            clusters.append(_plan_target(ctx, view, target, served, found))
    if view.local is None:
        clusters.append(planned(ctx.derive(inbound_passthrough, view.families), ()))
    return Compiled(tuple(clusters), tuple(dict.fromkeys(found)))


def inbound_passthrough(ctx: Context, families: IpFamilies) -> ClusterInput:
    """Return the cluster for captured inbound traffic to ports that no service has."""
    config = mesh_config(ctx)
    default = config.default_traffic_policy
    pool = default.connection_pool if default else None
    return ClusterInput(
        name=INBOUND_PASSTHROUGH,
        discovery=Discovery.ORIGINAL_DST,
        balancing=BalancingInput(LbPolicy.CLUSTER_PROVIDED),
        connect_timeout=policies.plan_connect_timeout(pool, config.connect_timeout, policies.Checks(MESH_KEY)),
        breakers=policies.plan_breakers(pool),
        alt_stat_name=INBOUND_PASSTHROUGH + STAT_DELIMITER,
        http=HttpInput(protocol=UpstreamHttp.AS_DOWNSTREAM, idle_timeout=_PASSTHROUGH_IDLE),
        bind_address=_source(families),
        extra_bind_address=_INBOUND_SOURCE_V6 if families is IpFamilies.DUAL else "",
    )


def _source(families: IpFamilies) -> str:
    return _INBOUND_SOURCE_V6 if families is IpFamilies.V6 else _INBOUND_SOURCE


def _plan_ingress(ctx: Context, view: InboundView, ingress: Ingress, found: list[Diagnostic]) -> Planned[ClusterInput]:
    """Return the cluster of an ingress listener. The service of that target port, if there is one, lends its DestinationRule."""
    config = mesh_config(ctx)
    target = next((each for each in ctx.derive(service_targets, view) if each.target_port == ingress.port), None)
    rule = ctx.derive(inbound_destination_rule, view.namespace, target.service) if target is not None else None
    pool = ingress.pool or effective_policy(ctx, rule, "", target.port.number if target is not None else 0).connection_pool
    checks = policies.Checks(ingress.sidecar if ingress.pool is not None else rule.key if rule else MESH_KEY, found)
    name = inbound_cluster(ingress.port)
    host = ServiceInfo(f"{ingress.sidecar.name}.{ingress.sidecar.namespace}", ingress.sidecar.name, ingress.sidecar.namespace)
    if target is not None:
        host = ServiceInfo(target.service.host, target.service.name, target.service.namespace)
    original = not ingress.endpoint
    loopback = ingress.endpoint in {"127.0.0.1", "::1"} or ingress.endpoint.startswith("unix://")
    cluster = ClusterInput(
        name=name,
        discovery=Discovery.ORIGINAL_DST if original else Discovery.STATIC,
        balancing=BalancingInput(LbPolicy.CLUSTER_PROVIDED if original else LbPolicy.ROUND_ROBIN),
        connect_timeout=policies.plan_connect_timeout(pool, config.connect_timeout, checks),
        breakers=policies.plan_breakers(pool),
        alt_stat_name=name + STAT_DELIMITER,
        load_assignment=None if original else _only(name, ingress.endpoint, ingress.endpoint_port),
        keepalive=policies.plan_keepalive(config.tcp_keepalive, pool),
        http=policies.plan_http(_protocol(ingress.protocol, use_client_protocol=_uses_client_protocol(pool)), pool, None, checks),
        bind_address="" if loopback else _INBOUND_SOURCE_V6 if ":" in ingress.endpoint else _source(view.families),
        keep_unused_hosts=original,
        metadata=MetadataInput(services=(host,)),
        buffer_limit=policies.plan_buffer_limit(config),
    )
    sources = (ingress.sidecar, *((target.service.source,) if target is not None else ()))
    return planned(cluster, (*sources, *(rule.provenance if rule else ())))


def _plan_target(
    ctx: Context, view: InboundView, target: ServiceTarget, served: tuple[ServiceTarget, ...], found: list[Diagnostic]
) -> Planned[ClusterInput]:
    config = mesh_config(ctx)
    rule = ctx.derive(inbound_destination_rule, view.namespace, target.service)
    own = ctx.derive(inbound_connection_pool, view.sidecar)
    pool = own or effective_policy(ctx, rule, "", target.port.number).connection_pool
    subject = view.sidecar if own is not None else rule.key if rule else None
    checks = policies.Checks(subject or MESH_KEY, found)
    name = inbound_cluster(target.target_port)
    services = tuple(dict.fromkeys(ServiceInfo(each.service.host, each.service.name, each.service.namespace) for each in served))
    port = dict(view.local.app_ports).get(target.target_port, target.target_port) if view.local else target.target_port
    loopback = view.local is not None or config.inbound_traffic_policy.mode is InboundMode.LOCALHOST
    cluster = ClusterInput(
        name=name,
        discovery=Discovery.STATIC if loopback else Discovery.ORIGINAL_DST,
        balancing=BalancingInput(LbPolicy.ROUND_ROBIN if loopback else LbPolicy.CLUSTER_PROVIDED),
        connect_timeout=policies.plan_connect_timeout(pool, config.connect_timeout, checks),
        breakers=policies.plan_breakers(pool),
        alt_stat_name=(_filled(config.inbound_cluster_stat_name, target) or name) + STAT_DELIMITER,
        load_assignment=_only(name, view.families.loopback, port) if loopback else None,
        keepalive=policies.plan_keepalive(config.tcp_keepalive, pool),
        http=policies.plan_http(_protocol(target.port.protocol, use_client_protocol=_uses_client_protocol(pool)), pool, None, checks),
        bind_address="" if loopback else _source(view.families),
        extra_bind_address=_INBOUND_SOURCE_V6 if not loopback and view.families is IpFamilies.DUAL else "",
        keep_unused_hosts=not loopback,
        metadata=MetadataInput(services=services),
        buffer_limit=policies.plan_buffer_limit(config),
    )
    sources = (each.service.source for each in served)
    return planned(cluster, (*sources, *(rule.provenance if rule else ()), view.sidecar if own is not None else None))


def _uses_client_protocol(pool: ConnectionPool | None) -> bool:
    return pool is not None and pool.http is not None and pool.http.use_client_protocol


def _protocol(declared: Protocol, *, use_client_protocol: bool) -> UpstreamHttp | None:
    """Return which HTTP the workload is spoken to: what the port declares. Upgrades are for clients; here they would surprise."""
    if use_client_protocol or declared is Protocol.UNSUPPORTED:
        return UpstreamHttp.AS_DOWNSTREAM
    return UpstreamHttp.HTTP2 if declared.is_http2 else None


def _only(name: str, address: str, port: int) -> EndpointsInput:
    endpoint = LbEndpointInput(address, port, EndpointHealth.UNKNOWN)
    return EndpointsInput(name, (LocalityInput((endpoint,)),))


def _filled(pattern: str, target: ServiceTarget) -> str:
    return fill_stat_pattern(pattern, target.service, target.port, "", target.target_port)
