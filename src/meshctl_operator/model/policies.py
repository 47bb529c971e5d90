"""Traffic policies: what the DestinationRule that a client uses says for a subset and a port of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.networking.destination_rule import (
    ConnectionPool,
    LoadBalancer,
    OutlierDetection,
    PortTrafficPolicy,
    TrafficPolicy,
    Tunnel,
)
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.labels import Labels
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.destination_rules import MergedRule, destination_rule, inbound_destination_rule
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.services import Service

__all__ = [
    "HashCookie",
    "HashPolicy",
    "MergedRule",
    "consistent_hash",
    "declared_policy",
    "destination_rule",
    "effective_policy",
    "inbound_destination_rule",
    "subset_names",
    "tcp_settings",
    "tunnel",
]

_NO_POLICY: Final = TrafficPolicy()


# What a rule says


def subset_names(rule: MergedRule | None) -> tuple[str, ...]:
    """Return the names of the subsets in their order; none without a rule."""
    return tuple(subset.name for subset in rule.subsets) if rule else ()


def effective_policy(ctx: Context, rule: MergedRule | None, subset: str, port: int) -> TrafficPolicy:
    """Return the policy of a cluster: the mesh's default, overlaid by the rule's for the port, overlaid by the subset's.

    ``subset`` is empty for the service as a whole. Port-level settings of the result are resolved and gone.
    """
    return _with_subset(_overlay(mesh_config(ctx).default_traffic_policy, _declared(rule, port)), rule, subset, port)


def declared_policy(rule: MergedRule | None, subset: str, port: int) -> TrafficPolicy:
    """Return the effective policy without the mesh's default: endpoints are chosen by this one."""
    return _with_subset(_declared(rule, port), rule, subset, port)


def _declared(rule: MergedRule | None, port: int) -> TrafficPolicy:
    return _NO_POLICY if rule is None or rule.policy is None else _for_port(rule.policy, port)[0]


def _with_subset(base: TrafficPolicy, rule: MergedRule | None, name: str, port: int) -> TrafficPolicy:
    subset = rule.subset(name) if rule and name else None
    if subset is None or subset.traffic_policy is None:
        return base
    own, replaced = _for_port(subset.traffic_policy, port)
    inherited = _NO_POLICY if replaced else base
    return TrafficPolicy(
        load_balancer=own.load_balancer or inherited.load_balancer,
        connection_pool=own.connection_pool or inherited.connection_pool,
        outlier_detection=own.outlier_detection or inherited.outlier_detection,
        tls=own.tls or inherited.tls,
        tunnel=own.tunnel or base.tunnel,
        proxy_protocol=own.proxy_protocol or base.proxy_protocol,
        retry_budget=own.retry_budget or base.retry_budget,
    )


def _for_port(policy: TrafficPolicy, port: int) -> tuple[TrafficPolicy, bool]:
    """Return the policy for a port, and whether it comes from port-level settings: those replace the policy, they inherit nothing."""
    level = _port_level(policy, port)
    if level is None:
        return policy.model_copy(update={"port_level_settings": ()}) if policy.port_level_settings else policy, False
    return (
        TrafficPolicy(
            load_balancer=level.load_balancer,
            connection_pool=level.connection_pool,
            outlier_detection=level.outlier_detection,
            tls=level.tls,
        ),
        True,
    )


def _port_level(policy: TrafficPolicy, port: int) -> PortTrafficPolicy | None:
    return next((level for level in policy.port_level_settings if level.port is not None and level.port.number == port), None)


def _overlay(default: TrafficPolicy | None, policy: TrafficPolicy) -> TrafficPolicy:
    """Fill the connection pool and the outlier detection from the mesh's default where the rule has none."""
    if default is None:
        return policy
    pool: ConnectionPool | None = policy.connection_pool or default.connection_pool
    outlier: OutlierDetection | None = policy.outlier_detection or default.outlier_detection
    return policy.model_copy(update={"connection_pool": pool, "outlier_detection": outlier})


# What routes and listeners need


@dataclass(frozen=True, slots=True)
class HashCookie:
    """A cookie to hash on. ``ttl`` None generates no cookie, zero a session cookie."""

    name: str
    path: str = ""
    ttl: Duration | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HashPolicy:
    """What of a request decides its endpoint (Istio ``ConsistentHashLB``); exactly one is set."""

    header: str = ""
    cookie: HashCookie | None = None
    source_ip: bool = False
    query_parameter: str = ""


def consistent_hash(ctx: Context, client_namespace: str, labels: Labels, service: Service, subset: str, port: int) -> HashPolicy | None:
    """Return what a route to the destination hashes on: by the subset for the port, the subset, the rule for the port, the rule.

    ``port`` is 0 where the destination names none.
    """
    rule = ctx.derive(destination_rule, client_namespace, labels, service)
    if rule is None:
        return None
    of_subset = found.traffic_policy if (found := rule.subset(subset)) else None
    for policy in (of_subset, rule.policy):
        if policy is None:
            continue
        level = _port_level(policy, port) if port else None
        for balancer in (level.load_balancer if level else None, policy.load_balancer):
            if (hashed := _hash_policy(balancer)) is not None:
                return hashed
    return None


def _hash_policy(balancer: LoadBalancer | None) -> HashPolicy | None:
    declared = balancer.consistent_hash if balancer else None
    if declared is None:
        return None
    if declared.http_header_name:
        return HashPolicy(header=declared.http_header_name)
    if declared.http_cookie is not None:
        cookie = declared.http_cookie
        attributes = tuple((attribute.name, attribute.value) for attribute in cookie.attributes)
        return HashPolicy(cookie=HashCookie(cookie.name, cookie.path, cookie.ttl, attributes))
    if declared.use_source_ip:
        return HashPolicy(source_ip=True)
    if declared.http_query_parameter_name:
        return HashPolicy(query_parameter=declared.http_query_parameter_name)
    return None


def tunnel(ctx: Context, client_namespace: str, labels: Labels, service: Service, subset: str) -> Tunnel | None:
    """Return the tunnel that TCP connections to the service take: the subset's, else the rule's; settings by port say nothing of it."""
    rule = ctx.derive(destination_rule, client_namespace, labels, service)
    if rule is None:
        return None
    of_subset = found.traffic_policy if (found := rule.subset(subset)) else None
    return next((policy.tunnel for policy in (of_subset, rule.policy) if policy is not None and policy.tunnel is not None), None)


def tcp_settings(
    ctx: Context, client_namespace: str, labels: Labels, service: Service, port: int
) -> tuple[Duration | None, Duration | None]:
    """Return (idle timeout, longest connection) of TCP proxying to the service.

    Istio reads both from the top level of the rule alone; the longest connection also from the port's settings, as the cluster does.
    """
    rule = ctx.derive(destination_rule, client_namespace, labels, service)
    top = rule.policy.connection_pool.tcp if rule and rule.policy and rule.policy.connection_pool else None
    pool = effective_policy(ctx, rule, "", port).connection_pool
    effective = pool.tcp if pool else None
    return (top.idle_timeout if top else None, effective.max_connection_duration if effective else None)
