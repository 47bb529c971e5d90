"""Route configurations of gateways: the VirtualServices bound to the servers of one port, merged by host."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshctl_operator.base.diagnostics import Compiled, Diagnostic, sorted_unique
from meshctl_operator.base.hostname import intersection, specificity_key
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, RouteInput, VirtualHostInput
from meshctl_operator.compiler.plan.domains import domain_name
from meshctl_operator.compiler.plan.http_routes import RouteTarget, plan_routes, provenance_of
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.compiler.plan.sidecar_routes import empty_route_configuration
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import GatewayServer, hosts_for_namespace, merged_gateway
from meshctl_operator.model.views import GatewayView
from meshctl_operator.model.virtual_services import ResolvedVirtualService, virtual_services

_Source = tuple[RouteTarget, ObjectKey]


@dataclass(frozen=True, slots=True)
class GatewayHost:
    """One virtual host to be: the VirtualServices whose routes it holds, in order, each with what it is compiled for."""

    name: str
    domains: tuple[str, ...]
    sources: tuple[_Source, ...]
    require_tls: bool


def plan_gateway_route(ctx: Context, view: GatewayView, name: str) -> Compiled[Planned[RouteConfigurationInput]]:
    """Return the route configuration of that name, with the findings about the VirtualServices bound to its servers (tracked).

    Without any VirtualService every request is answered 404; a name that no server has any more gives an empty one.
    """
    servers = ctx.derive(merged_gateway, view).servers_of_route(name)
    if not servers:
        return Compiled(planned(empty_route_configuration(name), ()))
    table = _Table(ctx, view)
    for server in servers:
        table.add(server)
    hosts = [ctx.derive(plan_gateway_virtual_host, host) for host in table.collapsed()]
    virtual_hosts = tuple(sorted((host.input for host in hosts), key=_by_name))
    if not virtual_hosts:
        virtual_hosts = (VirtualHostInput(f"blackhole:{servers[0].declared_port}", ("*",), ()),)
    provenance = [server.gateway for server in servers]
    provenance += [key for host in hosts for key in host.provenance]
    return Compiled(planned(RouteConfigurationInput(name, virtual_hosts), provenance), sorted_unique(table.findings))


def plan_gateway_virtual_host(ctx: Context, host: GatewayHost) -> Planned[VirtualHostInput]:
    """Return one virtual host: the routes of its VirtualServices one after the other, those that match everything last (tracked)."""
    plans = [ctx.derive(plan_routes, target, key) for target, key in host.sources]
    # Two servers or gateways with one host give the same route twice, and the second is never reached.
    routes = dict.fromkeys(route for plan in plans for route in plan.routes)
    return planned(VirtualHostInput(host.name, host.domains, tuple(sorted(routes, key=_catch_all)), host.require_tls), provenance_of(plans))


@dataclass(slots=True)
class _Host:
    """A host while the table is filled."""

    name: str
    sources: dict[_Source, None] = field(default_factory=dict)
    require_tls: bool = False


class _Table:
    """The hosts of one route configuration, filled server by server."""

    def __init__(self, ctx: Context, view: GatewayView) -> None:
        self._ctx, self._view = ctx, view
        self._hosts: dict[str, _Host] = {}
        self._targets: dict[tuple[str, ObjectKey], RouteTarget] = {}
        self.findings: list[Diagnostic] = []

    def add(self, server: GatewayServer) -> None:
        """Add the VirtualServices that are bound to the server; those of earlier servers come first."""
        redirected = server.tls is not None and server.tls.https_redirect
        gateway = f"{server.gateway.namespace}/{server.gateway.name}"
        for item in self._ctx.derive(virtual_services, self._view.namespace, gateway):
            self.findings += self._ctx.derive(virtual_service_findings, item.key)
            self._add(server, gateway, item, redirected=redirected)
        if redirected:
            # Hosts are redirected even where no VirtualService has them; the namespace before a host is no part of it.
            for host in server.hosts:
                name = host.rpartition("/")[2].lower()
                if name and name not in self._hosts and plain_text_problem(name) is None:
                    self._hosts[name] = _Host(domain_name(name, server.declared_port), require_tls=True)

    def _add(self, server: GatewayServer, gateway: str, item: ResolvedVirtualService, *, redirected: bool) -> None:
        hosts = [host for host in intersection(hosts_for_namespace(server, item.namespace), item.hosts) if plain_text_problem(host) is None]
        if not hosts:
            return
        # The first server decides about the port for all, as on istiod.
        target = self._targets.setdefault((gateway, item.key), self._target(server, gateway))
        if not self._ctx.derive(plan_routes, target, item.key).routes:
            return
        for host in (host.lower() for host in hosts):
            entry = self._hosts.setdefault(host, _Host(domain_name(host, server.declared_port)))
            entry.sources[target, item.key] = None
            entry.require_tls = entry.require_tls or redirected

    def _target(self, server: GatewayServer, gateway: str) -> RouteTarget:
        return RouteTarget(gateway, server.declared_port, self._view.namespace, self._view.labels, tls=server.tls is not None)

    def collapsed(self) -> tuple[GatewayHost, ...]:
        """Return the hosts; those with the very same routes share one virtual host, named after the most specific."""
        groups: dict[tuple[object, ...], list[str]] = {}
        for name in sorted(self._hosts, key=specificity_key):
            host = self._hosts[name]
            # Hosts without routes share nothing, so each stays by itself.
            key = (tuple(host.sources), host.require_tls) if host.sources else (name,)
            groups.setdefault(key, []).append(name)
        return tuple(
            GatewayHost(self._hosts[names[0]].name, tuple(names), tuple(self._hosts[names[0]].sources), self._hosts[names[0]].require_tls)
            for names in groups.values()
        )


def _catch_all(route: RouteInput) -> bool:
    return route.match.is_catch_all


def _by_name(host: VirtualHostInput) -> str:
    return host.name
