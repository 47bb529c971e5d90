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
from meshctl_operator.model.services import Service, service, visible_services
from meshctl_operator.model.views import GatewayView, OutboundView

MESH_PROTOCOLS: Final = ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2")
"""What sidecars offer by ALPN; nothing else is let through to the services of the mesh."""


def passed_services(ctx: Context, namespace: str, server: GatewayServer) -> tuple[Service, ...]:
    """Return the services of the mesh that the server covers; no server name spells out a wildcard (tracked).

    Of several with one host it is the one that the gateway's other clusters of the host are made of.
    """
    hosts = dict.fromkeys(found.host for found in ctx.derive(visible_services, namespace))
    covered = (host for host in hosts if not is_wildcard(host) and any(subset_of(host, name) for name in server.sni_hosts))
    known = (ctx.derive(service, namespace, host) for host in covered)
    return tuple(found for found in known if found is not None and not found.mesh_external)


def plan_sni_clusters(ctx: Context, outbound: OutboundView, gateway: GatewayView) -> tuple[Planned[ClusterInput], ...]:
    """Return the clusters that such servers of a gateway send connections to: those of the services, without TLS and HTTP of their own.

    They share the endpoints of the clusters that they are made after (tracked).
    """
    servers = [server for server in ctx.derive(merged_gateway, gateway).servers if server.passes_to_services]
    services = {found.host: found for server in servers for found in passed_services(ctx, gateway.namespace, server)}
    client = clients(outbound)[0]
    return tuple(_for_sni(plan) for found in services.values() for plan in plan_service_clusters(ctx, client, found).value)


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
