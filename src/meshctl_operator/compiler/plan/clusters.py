"""Plan the outbound clusters of a service: one per port, and one more per subset; and those that every proxy has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, assert_never

from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.networking.destination_rule import ClientTlsMode, TrafficPolicy
from meshctl_operator.apis.networking.sidecar import OutboundMode
from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.hostname import is_wildcard
from meshctl_operator.base.labels import Labels
from meshctl_operator.compiler.inputs.clusters import (
    BalancingInput,
    ClusterInput,
    Discovery,
    DnsFamily,
    HttpInput,
    LbPolicy,
    MetadataInput,
    ServiceInfo,
    UpstreamHttp,
)
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import ANY_HOST, BLACK_HOLE, PASSTHROUGH, outbound_cluster
from meshctl_operator.compiler.plan import cluster_policies as policies
from meshctl_operator.compiler.plan.dynamic_dns import dns_cache, dns_family
from meshctl_operator.compiler.plan.localities import arranged, candidates, usable
from meshctl_operator.compiler.plan.mutual_tls import is_spoken_unasked, plan_mutual_tls, with_mutual_tls
from meshctl_operator.compiler.plan.stat_names import STAT_DELIMITER, fill_stat_pattern
from meshctl_operator.compiler.plan.upstream_tls import TlsPlan, plan_tls
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import codes
from meshctl_operator.model.destination_rules import MergedRule, destination_rule
from meshctl_operator.model.dynamic_hosts import DYNAMIC_PROTOCOLS
from meshctl_operator.model.endpoints import Endpoint, endpoints
from meshctl_operator.model.locality_policies import locality_policy
from meshctl_operator.model.mesh import has_workload_certificates, mesh_config
from meshctl_operator.model.policies import declared_policy, effective_policy, subset_names
from meshctl_operator.model.proxies import IpFamilies, ProxyRole
from meshctl_operator.model.services import Protocol, Resolution, Service, ServicePort, ServiceRegistry, TrafficDistribution
from meshctl_operator.model.vantage import STRANGER
from meshctl_operator.model.views import NO_PLACE, EndpointView, OutboundView

ClusterPlans = tuple[Planned[ClusterInput], ...]
PASSTHROUGH_IDLE: Final = Duration.of(seconds=300)
_UNIX: Final = "unix://"


@hash_once
@dataclass(frozen=True, slots=True)
class Client:
    """The part of a view that the clusters of one service depend on. ``namespace`` and ``labels`` are a vantage: narrowed, if possible."""

    role: ProxyRole
    namespace: str
    labels: Labels
    local: bool
    families: IpFamilies = IpFamilies.V4
    where: EndpointView = NO_PLACE
    _hash: int = field(init=False, repr=False, compare=False)


@lru_cache(maxsize=4096)
def clients(view: OutboundView) -> tuple[Client, Client]:
    """Return the client of a view as it is, and as a stranger to what it looks at; the very same ones for each shard."""
    return (
        Client(view.role, view.namespace, view.labels, view.local, view.families, view.where),
        Client(view.role, STRANGER, (), view.local, view.families, view.where),
    )


def plan_fixed_clusters(ctx: Context, role: ProxyRole, families: IpFamilies = IpFamilies.V4) -> ClusterPlans:
    """Return the clusters that every proxy of a role has, whatever the services."""
    fixed = [planned(black_hole(ctx), ())]
    if role is ProxyRole.SIDECAR:
        fixed.append(planned(passthrough(ctx), ()))
        if mesh_config(ctx).outbound_traffic_policy.mode is OutboundMode.ALLOW_ANY_DYNAMIC_DNS:
            fixed.append(planned(any_host(ctx, families), ()))
    return tuple(fixed)


# Fixed clusters


def black_hole(ctx: Context) -> ClusterInput:
    """Return the cluster without endpoints that refuses whatever is sent to it."""
    return ClusterInput(
        name=BLACK_HOLE,
        discovery=Discovery.STATIC,
        balancing=BalancingInput(LbPolicy.ROUND_ROBIN),
        connect_timeout=mesh_config(ctx).connect_timeout,
        breakers=None,
        alt_stat_name=BLACK_HOLE + STAT_DELIMITER,
    )


def passthrough(ctx: Context) -> ClusterInput:
    """Return the cluster that sends connections to the address that they were meant for."""
    config = mesh_config(ctx)
    default = config.default_traffic_policy
    pool = default.connection_pool if default else None
    checks = policies.Checks(MESH_KEY)
    return ClusterInput(
        name=PASSTHROUGH,
        discovery=Discovery.ORIGINAL_DST,
        balancing=BalancingInput(LbPolicy.CLUSTER_PROVIDED),
        connect_timeout=policies.plan_connect_timeout(pool, config.connect_timeout, checks),
        breakers=policies.plan_breakers(pool),
        alt_stat_name=PASSTHROUGH + STAT_DELIMITER,
        keepalive=policies.plan_keepalive(config.tcp_keepalive, pool),
        http=HttpInput(protocol=UpstreamHttp.AS_DOWNSTREAM, idle_timeout=PASSTHROUGH_IDLE),
    )


def any_host(ctx: Context, families: IpFamilies) -> ClusterInput:
    """Return the cluster that resolves the host of each request, whatever it is."""
    return ClusterInput(
        name=ANY_HOST,
        discovery=Discovery.DYNAMIC_FORWARD_PROXY,
        balancing=BalancingInput(LbPolicy.CLUSTER_PROVIDED),
        connect_timeout=mesh_config(ctx).connect_timeout,
        alt_stat_name=ANY_HOST + STAT_DELIMITER,
        dns_cache=dns_cache(ANY_HOST, families),
        http=HttpInput(protocol=UpstreamHttp.AS_DOWNSTREAM, auto_sni=True, auto_san_validation=True),
    )


# Clusters of a service


def plan_service_clusters(ctx: Context, client: Client, service: Service) -> Compiled[ClusterPlans]:
    """Return the clusters of one service: for each port the service as a whole, then its subsets in the order of the rule."""
    rule = ctx.derive(destination_rule, client.namespace, client.labels, service)
    found: list[Diagnostic] = []
    clusters: list[Planned[ClusterInput]] = []
    provenance = (service.source, *(rule.provenance if rule else ()))
    for port in service.ports:
        dynamic = service.resolution is Resolution.DYNAMIC_DNS
        if port.protocol is Protocol.UDP or (dynamic and port.protocol not in DYNAMIC_PROTOCOLS):
            continue
        whole = effective_policy(ctx, rule, "", port.number)
        inherits_passthrough = policies.is_passthrough(whole.load_balancer)
        for subset in ("",) if dynamic else ("", *subset_names(rule)):
            policy = effective_policy(ctx, rule, subset, port.number) if subset else whole
            target = _Target(client, service, port, rule, subset, policy, inherits_passthrough)
            cluster = _plan_cluster(ctx, target, found)
            if cluster is not None:
                clusters.append(planned(cluster, provenance))
    return Compiled(tuple(clusters), tuple(dict.fromkeys(found)))


@dataclass(frozen=True, slots=True)
class _Target:
    """One cluster to be: a port of a service, a subset of it (or none), and the policy for both."""

    client: Client
    service: Service
    port: ServicePort
    rule: MergedRule | None
    subset: str
    policy: TrafficPolicy
    inherits_passthrough: bool

    @property
    def name(self) -> str:
        return outbound_cluster(self.port.number, self.subset, self.service.host)


def _plan_cluster(ctx: Context, target: _Target, found: list[Diagnostic]) -> ClusterInput | None:
    config = mesh_config(ctx)
    client, service, port, policy, rule = target.client, target.service, target.port, target.policy, target.rule
    checks = policies.Checks(rule.key if rule else MESH_KEY, found)
    pool, outlier = policy.connection_pool, policy.outlier_detection
    protocol = policies.plan_protocol(port.protocol, pool, config.h2_upgrade_policy, sniffs=client.role is ProxyRole.SIDECAR)
    tls = _plan_tls(ctx, target, protocol, found)
    if tls.refused:
        message = f"{tls.refused}: cluster {target.name} is left out rather than served without TLS"
        found.append(
            codes.TLS_NOT_COMPILED.error(
                rule.key if rule else MESH_KEY, "spec.trafficPolicy", message, hint="use mode SIMPLE, MUTUAL with certificates, or DISABLE"
            )
        )
        return None
    discovery = _discovery(target, found)
    assignment: EndpointsInput | None = None
    match discovery:
        case Discovery.STRICT_DNS | Discovery.LOGICAL_DNS:
            assignment = _assignment(ctx, target)
            if assignment is None:
                found.append(_nothing_to_resolve(target))
                return None
            if discovery is Discovery.LOGICAL_DNS and service.race_first_connect and _size(assignment) > 1:
                discovery = Discovery.STRICT_DNS  # a logical DNS cluster takes one endpoint
            elif discovery is Discovery.LOGICAL_DNS:
                assignment = _first_endpoint(assignment)
        case Discovery.EDS | Discovery.ORIGINAL_DST | Discovery.STATIC | Discovery.DYNAMIC_FORWARD_PROXY:
            pass
        case _:
            assert_never(discovery)
    http = policies.plan_http(protocol, pool, outlier, checks)
    if tls.auto_sni or discovery is Discovery.DYNAMIC_FORWARD_PROXY:  # a forward proxy must have both, with TLS or without
        forwarding = discovery is Discovery.DYNAMIC_FORWARD_PROXY
        http = replace(http or HttpInput(), auto_sni=True, auto_san_validation=tls.auto_san_validation or forwarding)
    by_dns = assignment is not None
    original = discovery is Discovery.ORIGINAL_DST
    forwards = discovery is Discovery.DYNAMIC_FORWARD_PROXY
    provided = discovery in {Discovery.ORIGINAL_DST, Discovery.DYNAMIC_FORWARD_PROXY}
    localities = None if provided else locality_policy(ctx, policy, service)
    prefers_near = service.distribution is not TrafficDistribution.ANY
    return ClusterInput(
        name=target.name,
        discovery=discovery,
        balancing=BalancingInput(LbPolicy.CLUSTER_PROVIDED)
        if provided
        else policies.with_localities(policies.plan_balancing(policy.load_balancer, checks), localities),
        connect_timeout=policies.plan_connect_timeout(pool, config.connect_timeout, checks),
        breakers=policies.plan_breakers(pool, policies.plan_retry_budget(policy.retry_budget, checks)),
        alt_stat_name=(_filled(config.outbound_cluster_stat_name, target) or target.name) + STAT_DELIMITER,
        panic_threshold=None if forwards else 0 if prefers_near else policies.plan_panic_threshold(outlier, checks),
        sticky_sessions=any(label == "istio.io/persistent-session" and value for label, value in service.labels),
        load_assignment=assignment,
        dns_refresh=config.dns_refresh_rate if by_dns else None,
        dns_family=DnsFamily.ALL if service.race_first_connect else dns_family(client.families),
        dns_cache=dns_cache(service.host, client.families) if forwards else None,
        port_override=_port_override(target) if original else None,
        keepalive=policies.plan_keepalive(config.tcp_keepalive, pool),
        http=http,
        outlier=policies.plan_outlier(outlier, checks),
        tls=tls.context,
        tls_where_taken=tls.where_taken,
        proxy_header=policies.plan_proxy_header(policy.proxy_protocol),
        buffer_limit=policies.plan_buffer_limit(config),
        metadata=MetadataInput(
            services=(ServiceInfo(service.host, service.name, service.namespace),),
            external=service.mesh_external and not target.subset,
            rule=rule.key if rule else None,
            subset=target.subset,
            alpn_override=policy.tls is None or policy.tls.mode not in {ClientTlsMode.SIMPLE, ClientTlsMode.MUTUAL},
        ),
    )


def _plan_tls(ctx: Context, target: _Target, protocol: UpstreamHttp | None, found: list[Diagnostic]) -> TlsPlan:
    client, service, policy = target.client, target.service, target.policy
    asked = policy.tls is not None and policy.tls.mode is ClientTlsMode.ISTIO_MUTUAL and has_workload_certificates(ctx)
    if not asked and not is_spoken_unasked(ctx, service, target.port, policy):
        return plan_tls(policy.tls, client.role, service, target.rule, protocol, mesh_config(ctx).tls_defaults, found)
    context = plan_mutual_tls(ctx, service, target.port.number, target.subset, policy.tls, protocol)
    matched = not asked and _discovery(target, []) is not Discovery.ORIGINAL_DST  # whose endpoints have nothing to be told apart by
    return TlsPlan(where_taken=context) if matched else TlsPlan(context)


def _discovery(target: _Target, found: list[Diagnostic]) -> Discovery:
    """Return how the endpoints of a cluster are found.

    A proxy of the local mesh gets requests through its HTTP proxy port, where no original destination is known: headless services are
    balanced there, and hosts without resolution are resolved by DNS as the client itself would have done.
    """
    client, service = target.client, target.service
    if service.resolution is Resolution.DYNAMIC_DNS:
        return Discovery.DYNAMIC_FORWARD_PROXY
    captures = client.role is ProxyRole.SIDECAR and not client.local
    if target.inherits_passthrough or policies.is_passthrough(target.policy.load_balancer):
        if not client.local:
            return Discovery.ORIGINAL_DST
        if target.rule is not None:
            message = f"simple: PASSTHROUGH has no effect on cluster {target.name}: the local mesh captures no traffic"
            found.append(codes.PASSTHROUGH_WITHOUT_CAPTURE.info(target.rule.key, "spec.trafficPolicy.loadBalancer.simple", message))
    match service.resolution:
        case Resolution.CLIENT_SIDE_LB | Resolution.ALIAS:
            return Discovery.EDS
        case Resolution.DNS_LB:
            return Discovery.LOGICAL_DNS if service.race_first_connect else Discovery.STRICT_DNS
        case Resolution.DNS_ROUND_ROBIN_LB:
            return Discovery.LOGICAL_DNS
        case Resolution.DYNAMIC_DNS:
            return Discovery.DYNAMIC_FORWARD_PROXY
        case Resolution.PASSTHROUGH if captures:
            return Discovery.ORIGINAL_DST
        case Resolution.PASSTHROUGH:
            return Discovery.STRICT_DNS if _resolves_by_name(target) else Discovery.EDS
        case _:
            assert_never(service.resolution)


def _resolves_by_name(target: _Target) -> bool:
    service = target.service
    return target.client.local and service.registry is ServiceRegistry.EXTERNAL and not is_wildcard(service.host)


def _port_override(target: _Target) -> int | None:
    port = target.port.target_port
    return port if isinstance(port, int) and port and target.service.registry is ServiceRegistry.EXTERNAL else None


# Endpoints of DNS clusters


def _assignment(ctx: Context, target: _Target) -> EndpointsInput | None:
    """Return the endpoints that the cluster resolves, or None where there are none."""
    service, port = target.service, target.port
    declared = ctx.derive(endpoints, service.host, service.namespace)
    if service.resolution is Resolution.PASSTHROUGH and not declared:
        number = port.target_port if isinstance(port.target_port, int) and port.target_port else port.number
        declared = (Endpoint(service.host, number, port.name, service.source),)
    # The cluster id is the mesh's only one: a cluster is planned for proxies of all of them alike.
    every = candidates((each for each in declared if not each.address.startswith(_UNIX)), "Kubernetes")
    policy = locality_policy(ctx, declared_policy(target.rule, target.subset, port.number), service)
    declared_tls = declared_policy(target.rule, target.subset, port.number)
    chosen = with_mutual_tls(ctx, usable(every, service, port, target.rule, target.subset), service, declared_tls)
    localities = arranged(chosen, policy, target.client.where)
    return EndpointsInput(target.name, localities) if localities else None


def _size(assignment: EndpointsInput) -> int:
    return sum(len(locality.endpoints) for locality in assignment.localities)


def _first_endpoint(assignment: EndpointsInput) -> EndpointsInput:
    first = assignment.localities[0]
    return replace(assignment, localities=(replace(first, endpoints=first.endpoints[:1]),))


def _nothing_to_resolve(target: _Target) -> Diagnostic:
    service, rule = target.service, target.rule
    if target.subset and rule is not None:
        path = next((f"spec.subsets[{index}].labels" for index, subset in enumerate(rule.subsets) if subset.name == target.subset), "")
        message = f"no endpoint of {service.host} carries the labels of subset {target.subset!r}: cluster {target.name} is left out"
        return codes.NO_ENDPOINTS_TO_RESOLVE.warning(rule.key, path, message, hint="requests to the subset are answered 503")
    message = f"{service.host} has no endpoint for port {target.port.number}: cluster {target.name} is left out"
    return codes.NO_ENDPOINTS_TO_RESOLVE.warning(
        service.source, "spec.endpoints", message, hint="requests to the host are answered 503; give endpoints, or name an exact host"
    )


def _filled(pattern: str, target: _Target) -> str:
    port = target.port
    return fill_stat_pattern(pattern, target.service, port, target.subset, port.target_port or port.number)
