"""Gateways between networks (AUTO_PASSTHROUGH): TLS of the mesh goes on untouched to the service that its server name spells out."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshctl_operator.base.hostname import is_wildcard, subset_of
from meshctl_operator.compiler.inputs.clusters import ClusterInput, Discovery
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.names import sni_cluster, split_outbound_cluster
from meshctl_operator.compiler.plan.clusters import clients, plan_service_clusters
from meshctl_operator.compiler.plan.stat_names import STAT_DELIMITER
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import GatewayServer, merged_gateway
from meshctl_operator.model.services import Service, visible_services
from meshctl_operator.model.views import GatewayView, OutboundView

MESH_PROTOCOLS: Final = ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2")
"""What sidecars offer by ALPN; nothing else is let through to the services of the mesh."""


def passed_services(ctx: Context, namespace: str, server: GatewayServer) -> tuple[Service, ...]:
    """Return the services of the mesh that the server covers, each host once; no server name spells out a wildcard (tracked)."""
    found: dict[str, Service] = {}
    for service in ctx.derive(visible_services, namespace):
        covered = not service.mesh_external and not is_wildcard(service.host)
        if covered and any(subset_of(service.host, host) for host in server.sni_hosts):
            found.setdefault(service.host, service)
    return tuple(found.values())


def plan_sni_clusters(ctx: Context, outbound: OutboundView, gateway: GatewayView) -> tuple[Planned[ClusterInput], ...]:
    """Return the clusters that such servers of a gateway send connections to: those of the services, without TLS and HTTP of their own.

    They share the endpoints of the clusters that they are made after (tracked).
    """
    servers = [server for server in ctx.derive(merged_gateway, gateway).servers if server.passes_to_services]
    services = {service.host: service for server in servers for service in passed_services(ctx, gateway.namespace, server)}
    client = clients(outbound)[0]
    return tuple(_for_sni(plan) for service in services.values() for plan in plan_service_clusters(ctx, client, service).value)


def _for_sni(plan: Planned[ClusterInput]) -> Planned[ClusterInput]:
    cluster = plan.input
    parts = split_outbound_cluster(cluster.name)
    name = sni_cluster(*parts) if parts else cluster.name
    assignment = replace(cluster.load_assignment, name=name) if cluster.load_assignment is not None else None
    bare = replace(
        cluster,
        name=name,
        alt_stat_name=name + STAT_DELIMITER,
        load_assignment=assignment,
        http=None,
        tls=None,
        proxy_header=None,
        endpoints_of=cluster.name if cluster.discovery is Discovery.EDS else "",
    )
    return planned(bare, plan.provenance)
