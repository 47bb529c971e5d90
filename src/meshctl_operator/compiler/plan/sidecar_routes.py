"""Route configurations of sidecars: one per HTTP port, one per sniffed service port, and one for the HTTP proxy port."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshctl_operator.base.diagnostics import Compiled, sorted_unique
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    ForwardInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
)
from meshctl_operator.compiler.names import PASSTHROUGH
from meshctl_operator.compiler.plan.domains import domain_name
from meshctl_operator.compiler.plan.http_routes import RouteTarget, plan_default_route, plan_routes
from meshctl_operator.compiler.plan.sidecar_hosts import HostEntry, plan_hosts
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.scopes import OutboundMode, scope, scope_service
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import MESH

HTTP_PROXY: Final = "http_proxy"

ALLOW_ANY: Final = VirtualHostInput(
    "allow_any", ("*",), (RouteInput(match=RouteMatchInput(), action=ForwardInput(PASSTHROUGH), name="allow_any"),)
)
"""Requests for unknown hosts go where the client meant them to go."""

BLOCK_ALL: Final = VirtualHostInput(
    "block_all", ("*",), (RouteInput(match=RouteMatchInput(), action=DirectResponseInput(502), name="block_all"),)
)
"""Requests for unknown hosts are answered 502."""


@dataclass(frozen=True, slots=True)
class _RouteName:
    """What the name of a route configuration asks for: a port (0: the HTTP proxy port), and for a sniffed port the one host."""

    port: int
    host: str = ""

    @classmethod
    def parse(cls, name: str) -> _RouteName | None:
        if name == HTTP_PROXY:
            return cls(0)
        host, _, port = name.rpartition(":")
        return cls(int(port), host) if port.isascii() and port.isdigit() and int(port) > 0 else None


def plan_sidecar_route(ctx: Context, view: OutboundView, name: str) -> Compiled[Planned[RouteConfigurationInput]]:
    """Return the route configuration of that name, with the findings about the VirtualServices in it (tracked).

    Names are those that listeners ask for: ``9080``, ``host:port`` and ``http_proxy``; any other gives an empty one.
    """
    wanted = _RouteName.parse(name)
    if wanted is None:
        return Compiled(planned(empty_route_configuration(name), ()))
    table = ctx.derive(plan_hosts, view, wanted.port)
    entries = table.entries
    if wanted.host:
        entries = tuple(entry for entry in entries if _owns(entry, wanted))[:1]
    hosts = [ctx.derive(plan_virtual_host, view, entry) for entry in entries]
    if wanted.host:
        virtual_hosts = tuple(replace(host.input, domains=("*",)) for host in hosts)
    else:
        virtual_hosts = _with_catch_all(ctx, view, sorted((host.input for host in hosts), key=_by_name))
    findings = [finding for key in table.rules for finding in ctx.derive(virtual_service_findings, key)]
    route = RouteConfigurationInput(name, virtual_hosts, ignore_port_in_host_matching=wanted.port != 0)
    provenance = (*(key for host in hosts for key in host.provenance), view.sidecar)
    return Compiled(planned(route, provenance), sorted_unique(findings))


def plan_virtual_host(ctx: Context, view: OutboundView, entry: HostEntry) -> Planned[VirtualHostInput]:
    """Return one virtual host with the routes of the VirtualService that claims it, or the default route of its service (tracked)."""
    target = RouteTarget(MESH, entry.port, view.namespace, view.labels, view=view)
    if entry.rules is not None:
        plan = ctx.derive(plan_routes, target, entry.rules)
    else:
        plan = ctx.derive(plan_default_route, target, entry.host, entry.port)
    provenance: list[ObjectKey | None] = [*plan.provenance]
    if entry.known and (found := ctx.derive(scope_service, view, entry.host)) is not None:
        provenance.append(found.source)
    return planned(VirtualHostInput(domain_name(entry.host, entry.port), entry.domains, plan.routes), provenance)


def empty_route_configuration(name: str) -> RouteConfigurationInput:
    """Return the answer to a name that nothing stands for (any more): every request is answered 404."""
    return RouteConfigurationInput(name, ignore_port_in_host_matching=False, max_direct_response_body=None)


def _owns(entry: HostEntry, wanted: _RouteName) -> bool:
    return bool({domain_name(wanted.host, wanted.port), wanted.host} & set(entry.domains))


def _by_name(host: VirtualHostInput) -> str:
    return host.name


def _with_catch_all(ctx: Context, view: OutboundView, hosts: list[VirtualHostInput]) -> tuple[VirtualHostInput, ...]:
    """Return the virtual hosts with the one for unknown hosts at the end, unless a VirtualService claims ``*`` itself.

    A proxy of the local mesh has no way to pass anything on, since nothing is captured: it answers 502.
    """
    if any("*" in host.domains for host in hosts):
        return tuple(hosts)
    blocked = view.local or ctx.derive(scope, view).outbound_mode is OutboundMode.REGISTRY_ONLY
    return (*hosts, BLOCK_ALL if blocked else ALLOW_ANY)
