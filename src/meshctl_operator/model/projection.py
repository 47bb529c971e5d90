"""Projection: from a proxy to the views that decide its configuration. What does not matter is left behind here."""

from __future__ import annotations

from meshctl_operator.base.labels import Labels
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import is_on, mesh_config
from meshctl_operator.model.proxies import IpFamilies, Proxy, ProxyRole
from meshctl_operator.model.scopes import sidecar_for
from meshctl_operator.model.views import EndpointView, GatewayView, InboundView, OutboundView
from meshctl_operator.registry.cells import Cell, Table, mentioned_labels


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
    )


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
    )


def endpoint_view(proxy: Proxy) -> EndpointView:
    """Return where the proxy stands, as far as the order of endpoints depends on it."""
    return EndpointView(proxy.locality, proxy.network, proxy.cluster_id, proxy.node_name, proxy.labels)


def _only(labels: Labels, keys: frozenset[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in keys)
