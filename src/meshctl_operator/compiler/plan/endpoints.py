"""Plan the endpoints of one outbound EDS cluster."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import split_outbound_cluster
from meshctl_operator.compiler.plan.localities import by_locality, usable_endpoints, with_failover
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.destination_rules import MergedRule, destination_rule
from meshctl_operator.model.endpoints import Endpoint, endpoints
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.policies import declared_policy
from meshctl_operator.model.scopes import scope_service
from meshctl_operator.model.services import Resolution
from meshctl_operator.model.views import EndpointView, OutboundView


def plan_endpoints(ctx: Context, view: OutboundView, where: EndpointView, cluster: str) -> Planned[EndpointsInput]:
    """Return the endpoints of a cluster for a proxy that stands ``where``.

    A cluster that is not known, or that resolves its endpoints by DNS, has none; that is an answer as well, since Envoy waits for one.
    """
    name = split_outbound_cluster(cluster)
    if name is None:
        return planned(EndpointsInput(cluster), ())
    number, subset, host = name
    service = ctx.derive(scope_service, view, host)
    port = service.port(number) if service else None
    if service is None or port is None or service.resolution in {Resolution.DNS_LB, Resolution.DNS_ROUND_ROBIN_LB}:
        return planned(EndpointsInput(cluster), (service.source,) if service else ())
    rule = ctx.derive(destination_rule, view.namespace, view.labels, service)
    found = [
        endpoint
        for endpoint in usable_endpoints(ctx.derive(endpoints, service.host, service.namespace), service, port, rule, subset)
        if endpoint.is_ip_or_socket and not (service.node_local and endpoint.node_name != where.node_name)
    ]
    localities = by_locality(found, where.cluster_id)
    if _fails_over(ctx, rule, subset, number):
        localities = with_failover(localities, where.locality)
    return planned(EndpointsInput(cluster, localities), (service.source, *_sources(found), *(rule.provenance if rule else ())))


def _sources(found: list[Endpoint]) -> tuple[ObjectKey, ...]:
    return tuple(dict.fromkeys(endpoint.source for endpoint in found))


def _fails_over(ctx: Context, rule: MergedRule | None, subset: str, port: int) -> bool:
    """Tell whether near endpoints are preferred: once failures are noticed at all, unless the rule or the mesh declines."""
    policy = declared_policy(rule, subset, port)
    if policy.outlier_detection is None:
        return False
    of_rule = policy.load_balancer.locality_lb_setting if policy.load_balancer else None
    setting = of_rule or mesh_config(ctx).locality_lb_setting
    return setting is None or setting.enabled is not False
