"""Route configurations of gateways: the VirtualServices bound to the servers of one port, merged by host."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.hostname import intersection, specificity_key
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, VirtualHostInput
from meshctl_operator.compiler.plan.domains import domain_name
from meshctl_operator.compiler.plan.http_routes import RouteTarget, Targets, has_routes
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.compiler.plan.sidecar_routes import empty_route_configuration
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import GatewayServer, hosts_for_namespace, merged_gateway
from meshctl_operator.model.views import GatewayView
from meshctl_operator.model.virtual_services import VirtualServiceHead, virtual_services

_Source = tuple[RouteTarget, ObjectKey]


@hash_once
@dataclass(frozen=True, slots=True)
class GatewayHost:
    """One virtual host to be: the VirtualServices whose routes it holds, in order, each with what it is compiled for."""

    name: str
    domains: tuple[str, ...]
    sources: tuple[_Source, ...]
    require_tls: bool
    _hash: int = field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class GatewayTable:
    """The virtual hosts of one route configuration by shard, with the Gateways whose servers it belongs to.

    ``fallback`` stands in where there is no virtual host at all: every request is answered 404.
    """

    shards: tuple[tuple[GatewayHost, ...], ...]
    gateways: tuple[ObjectKey, ...]
    fallback: VirtualHostInput | None


def plan_gateway_table(ctx: Context, view: GatewayView, name: str) -> GatewayTable | None:
    """Return the virtual hosts of the route configuration of that name; None where no server has that name (any more) (tracked)."""
    servers = ctx.derive(merged_gateway, view).servers_of_route(name)
    if not servers:
        return None
    table = _Table(ctx, view)
    for server in servers:
        table.add(server)
    shards: list[list[GatewayHost]] = [[] for _ in range(SHARDS)]
    for host in table.collapsed():
        shards[shard_of(host.name)].append(host)
    fallback = None if any(shards) else VirtualHostInput(f"blackhole:{servers[0].declared_port}", ("*",), ())
    return GatewayTable(tuple(map(tuple, shards)), tuple(dict.fromkeys(server.gateway for server in servers)), fallback)


def gateway_shell(name: str, table: GatewayTable | None) -> RouteConfigurationInput:
    """Return the route configuration without its virtual hosts."""
    return empty_route_configuration(name) if table is None else RouteConfigurationInput(name)


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

    def add(self, server: GatewayServer) -> None:
        """Add the VirtualServices that are bound to the server; those of earlier servers come first."""
        redirected = server.tls is not None and server.tls.https_redirect
        gateway = f"{server.gateway.namespace}/{server.gateway.name}"
        targets = Targets(self._ctx, self._target(server, gateway))
        for item in self._ctx.derive(virtual_services, self._view.namespace, gateway):
            self._add(server, gateway, item, targets, redirected=redirected)
        if redirected:
            # Hosts are redirected even where no VirtualService has them; the namespace before a host is no part of it.
            for host in server.hosts:
                name = host.rpartition("/")[2].lower()
                if name and name not in self._hosts and plain_text_problem(name) is None:
                    self._hosts[name] = _Host(domain_name(name, server.declared_port), require_tls=True)

    def _add(self, server: GatewayServer, gateway: str, item: VirtualServiceHead, targets: Targets, *, redirected: bool) -> None:
        hosts = [host for host in intersection(hosts_for_namespace(server, item.namespace), item.hosts) if plain_text_problem(host) is None]
        if not hosts:
            return
        # The first server decides about the port for all, as on istiod.
        target = self._targets.get((gateway, item.key))
        if target is None:
            target = self._targets[gateway, item.key] = targets.for_rules(item.key)
        if not self._ctx.derive(has_routes, target, item.key):
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
