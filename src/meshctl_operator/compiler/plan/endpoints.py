"""Plan the endpoints of the outbound EDS clusters of one service."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import split_outbound_cluster
from meshctl_operator.compiler.plan.clusters import Client
from meshctl_operator.compiler.plan.localities import Candidate, arranged, candidates, usable
from meshctl_operator.compiler.plan.mutual_tls import with_mutual_tls
from meshctl_operator.compiler.plan.networks import across_networks
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.destination_rules import MergedRule, destination_rule
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.locality_policies import locality_policy
from meshctl_operator.model.networks import network_gateways, pod_networks
from meshctl_operator.model.policies import declared_policy
from meshctl_operator.model.proxies import NOWHERE
from meshctl_operator.model.services import Service
from meshctl_operator.model.views import EndpointView


class EndpointReach(NamedTuple):
    """What of the place of a proxy decides which endpoints it gets, and in which order. ``labels`` are keys of its labels, sorted."""

    locality: bool = False
    node: bool = False
    network: bool = False
    labels: tuple[str, ...] = ()

    def narrowed(self, where: EndpointView) -> EndpointView:
        """Return the place without what does not matter."""
        return replace(
            where,
            locality=where.locality if self.locality else NOWHERE,
            network=where.network if self.network else "",
            node_name=where.node_name if self.node else "",
            labels=tuple(pair for pair in where.labels if pair[0] in self.labels) if self.labels else (),
        )

    def joined(self, other: EndpointReach) -> EndpointReach:
        """Return what matters to either."""
        if self == other:
            return self
        labels = tuple(sorted({*self.labels, *other.labels}))
        return EndpointReach(self.locality or other.locality, self.node or other.node, self.network or other.network, labels)


def endpoint_reach(ctx: Context, client: Client, service: Service, clusters: tuple[str, ...]) -> EndpointReach:
    """Return what of the place of a proxy matters for the endpoints of a service."""
    rule = ctx.derive(destination_rule, client.namespace, client.labels, service)
    reach = EndpointReach(node=service.node_local, network=bool(ctx.derive(network_gateways)))
    for name in map(split_outbound_cluster, clusters):
        policy = locality_policy(ctx, declared_policy(rule, name[1], name[0]), service) if name is not None else None
        if policy is not None:
            reach = reach.joined(EndpointReach(policy.by_locality, labels=policy.label_keys))
    return reach


def plan_endpoints(
    ctx: Context, client: Client, where: EndpointView, service: Service, clusters: tuple[str, ...]
) -> tuple[Planned[EndpointsInput], ...]:
    """Return the endpoints of the named clusters of a service for a proxy that stands ``where`` (tracked).

    A cluster without endpoints gets an answer as well, since Envoy waits for one.
    """
    rule = ctx.derive(destination_rule, client.namespace, client.labels, service)
    every = candidates(
        (
            endpoint
            for endpoint in ctx.derive(endpoints, service.host, service.namespace)
            if endpoint.is_ip_or_socket
            and where.sees(endpoint.network)
            and not (service.node_local and endpoint.node_name != where.node_name)
        ),
        where.cluster_id,
    )
    return tuple(_plan(ctx, cluster, every, service, rule, where) for cluster in clusters)


def _plan(
    ctx: Context, cluster: str, every: tuple[Candidate, ...], service: Service, rule: MergedRule | None, where: EndpointView
) -> Planned[EndpointsInput]:
    name = split_outbound_cluster(cluster)
    port = service.port(name[0]) if name is not None else None
    if name is None or port is None:
        return planned(EndpointsInput(cluster), (service.source,))
    found = usable(every, service, port, rule, name[1])
    found = with_mutual_tls(ctx, found, service, declared_policy(rule, name[1], name[0]))
    gateways = ctx.derive(network_gateways)
    if gateways:
        found = across_networks(found, gateways, where.network, ctx.derive(pod_networks), port.name)
    localities = arranged(found, locality_policy(ctx, declared_policy(rule, name[1], name[0]), service), where)
    sources = dict.fromkeys(candidate.endpoint.source for candidate in found)
    return planned(EndpointsInput(cluster, localities), (service.source, *sources, *(rule.provenance if rule else ())))
