"""Projection: from a proxy to the views that decide its configuration. What does not matter is left behind here."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.labels import Labels
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.locality_policies import HOSTNAME_LABEL, NETWORK_LABEL, REGION_LABEL, SUB_ZONE_LABEL, ZONE_LABEL
from meshctl_operator.model.mesh import is_on, mesh_config
from meshctl_operator.model.proxies import NOWHERE, IpFamilies, Proxy, ProxyRole
from meshctl_operator.model.scopes import sidecar_for
from meshctl_operator.model.services import Resolution, services
from meshctl_operator.model.views import NO_PLACE, EndpointView, GatewayView, InboundView, OutboundView
from meshctl_operator.registry.cells import Cell, Table, mentioned_labels

_TOPOLOGY: Final = frozenset({NETWORK_LABEL, REGION_LABEL, ZONE_LABEL, SUB_ZONE_LABEL, HOSTNAME_LABEL})


def mentioned_label_keys(ctx: Context) -> frozenset[str]:
    """Return every label key by which some object tells proxies apart."""
    return frozenset(label for obj in ctx.fetch(Cell(Table.LABEL_MENTIONS, "*")) for label in mentioned_labels(obj))


def outbound_view(ctx: Context, proxy: Proxy) -> OutboundView:
    """Return the outbound view of a sidecar, or of a gateway for its clusters."""
    mentioned = ctx.derive(mentioned_label_keys)
    sidecar = ctx.derive(sidecar_for, proxy.namespace, proxy.labels) if proxy.role is ProxyRole.SIDECAR else None
    return OutboundView(
        role=proxy.role,
        namespace=proxy.namespace,
        dns_domain=proxy.dns_domain,
        labels=_only(proxy.labels, mentioned),
        sidecar=sidecar,
        interception=proxy.interception,
        http_proxy_port=proxy.http_proxy_port or (mesh_config(ctx).proxy_http_port if proxy.role is ProxyRole.SIDECAR else 0),
        http10=proxy.http10,
        local=proxy.local is not None,
        families=ctx.derive(families, proxy.ips),
        unprivileged=proxy.unprivileged and proxy.role is ProxyRole.SIDECAR,
        dns_capture=proxy.dns_capture and proxy.role is ProxyRole.SIDECAR,
        where=_place(proxy) if ctx.derive(places_matter) else NO_PLACE,
        lacking=proxy.lacking,
    )


def places_matter(ctx: Context) -> bool:
    """Tell whether clusters depend on where their proxy stands: some service that proxies resolve has endpoints in known places (tracked)."""
    return any(
        endpoint.locality != NOWHERE
        for found in ctx.derive(services)
        if found.resolution is Resolution.DNS_LB
        for endpoint in ctx.derive(endpoints, found.host, found.namespace)
    )


def _place(proxy: Proxy) -> EndpointView:
    """Return locality and topology labels, which is what failover between endpoints of other places goes by."""
    return EndpointView(proxy.locality, labels=tuple(pair for pair in proxy.labels if pair[0] in _TOPOLOGY))


def inbound_view(ctx: Context, proxy: Proxy) -> InboundView:
    """Return the inbound view of a sidecar."""
    return InboundView(
        namespace=proxy.namespace,
        workload=proxy.name,
        labels=proxy.labels,
        ips=proxy.ips,
        sidecar=ctx.derive(sidecar_for, proxy.namespace, proxy.labels),
        interception=proxy.interception,
        http10=proxy.http10,
        local=proxy.local,
        families=ctx.derive(families, proxy.ips),
        lacking=proxy.lacking,
    )


def families(ctx: Context, ips: tuple[str, ...]) -> IpFamilies:
    """Return the families of a proxy's addresses (tracked: a switch says whether the mesh is dual stack)."""
    return IpFamilies.of(ips, dual_stack=is_on(ctx, "ISTIO_DUAL_STACK"))


def gateway_view(proxy: Proxy) -> GatewayView:
    """Return the view of a gateway on listeners and routes."""
    return GatewayView(
        namespace=proxy.namespace,
        labels=proxy.labels,
        unprivileged=proxy.unprivileged,
        ipv6=bool(proxy.ips) and all(":" in ip for ip in proxy.ips),
        http10=proxy.http10,
        local=proxy.local,
        lacking=proxy.lacking,
    )


def endpoint_view(proxy: Proxy) -> EndpointView:
    """Return where the proxy stands, as far as the order of endpoints depends on it."""
    return EndpointView(proxy.locality, proxy.network, proxy.cluster_id, proxy.node_name, proxy.labels, proxy.network_view)


def _only(labels: Labels, keys: frozenset[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in keys)
