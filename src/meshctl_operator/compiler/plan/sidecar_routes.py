"""Route configurations of sidecars: one per HTTP port, one per sniffed service port, and one for the HTTP proxy port."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from meshctl_operator.compiler.inputs.planned import Planned, planned
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    ForwardInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
)
from meshctl_operator.compiler.names import BLACK_HOLE, PASSTHROUGH
from meshctl_operator.compiler.plan.domains import domain_name
from meshctl_operator.compiler.plan.http_routes import plan_default_route, plan_routes
from meshctl_operator.compiler.plan.outbound_listeners import fallback_cluster, listeners_of
from meshctl_operator.compiler.plan.proxy_headers import counts_attempts
from meshctl_operator.compiler.plan.sidecar_hosts import HostEntry, PortHosts, plan_hosts
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.views import OutboundView

HTTP_PROXY: Final = "http_proxy"


def allow_any(cluster: str) -> VirtualHostInput:
    """Return the virtual host that sends requests for unknown hosts to a cluster."""
    return VirtualHostInput("allow_any", ("*",), (RouteInput(match=RouteMatchInput(), action=ForwardInput(cluster), name="allow_any"),))


ALLOW_ANY: Final = allow_any(PASSTHROUGH)
"""Requests for unknown hosts go where the client meant them to go."""

BLOCK_ALL: Final = VirtualHostInput(
    "block_all", ("*",), (RouteInput(match=RouteMatchInput(), action=DirectResponseInput(502), name="block_all"),)
)
"""Requests for unknown hosts are answered 502."""


@dataclass(frozen=True, slots=True)
class RouteName:
    """What the name of a route configuration asks for: a port (0: the HTTP proxy port), and for a sniffed port the one host."""

    port: int
    host: str = ""

    @classmethod
    def parse(cls, name: str) -> RouteName | None:
        """Read the name that a listener asks for; None for one that no listener of ours has."""
        if name == HTTP_PROXY:
            return cls(0)
        host, _, port = name.rpartition(":")
        return cls(int(port), host) if port.isascii() and port.isdigit() and int(port) > 0 else None


def plan_sidecar_hosts(ctx: Context, view: OutboundView, name: str) -> tuple[tuple[HostEntry, ...], ...]:
    """Return the virtual hosts of the route configuration of that name, by shard (tracked).

    Names are those that listeners ask for: ``9080``, ``host:port`` and ``http_proxy``; any other has none.
    """
    asked = route_view(ctx, view, name)
    if asked is None:
        return PortHosts(()).by_shard()
    view, wanted = asked
    hosts = ctx.derive(plan_hosts, view, wanted.port)
    if wanted.host:
        found = [replace(entry, domains=("*",)) for entry in hosts.entries if _owns(entry, wanted)][:1]
        hosts = PortHosts(tuple(found))
    return hosts.by_shard()


def plan_virtual_host(ctx: Context, entry: HostEntry) -> Planned[VirtualHostInput]:
    """Return one virtual host with the routes of the VirtualService that claims it, or the default route of its service (tracked)."""
    if entry.rules is not None:
        plan = ctx.derive(plan_routes, entry.target, entry.rules)
    else:
        plan = ctx.derive(plan_default_route, entry.target, entry.host, entry.port)
    host = VirtualHostInput(entry.name, entry.domains, plan.routes, attempt_count=ctx.derive(counts_attempts))
    return planned(host, (*plan.provenance, *entry.sources))


def plan_catch_all(ctx: Context, view: OutboundView, name: str) -> VirtualHostInput | None:
    """Return the virtual host for unknown hosts; None where the route configuration is for one host, or somebody claims ``*`` (tracked).

    A proxy of the local mesh has no way to pass anything on, since nothing is captured: it answers 502.
    """
    asked = route_view(ctx, view, name)
    if asked is None or asked[1].host:
        return None
    view, wanted = asked
    if any("*" in entry.domains for entry in ctx.derive(plan_hosts, view, wanted.port).entries):
        return None
    cluster = fallback_cluster(ctx, view)
    if view.local or cluster == BLACK_HOLE:
        return BLOCK_ALL
    return ALLOW_ANY if cluster == PASSTHROUGH else allow_any(cluster)


def sidecar_shell(name: str, *, all_ports: bool = False) -> RouteConfigurationInput:
    """Return the route configuration of that name without its virtual hosts; with ``all_ports`` hosts are told apart by port.

    A name that nothing stands for (any more) keeps its shell, so that every request is answered 404.
    """
    wanted = RouteName.parse(name)
    if wanted is None and not all_ports:
        return empty_route_configuration(name)
    return RouteConfigurationInput(name, ignore_port_in_host_matching=not all_ports and wanted is not None and wanted.port != 0)


def route_view(ctx: Context, view: OutboundView, name: str) -> tuple[OutboundView, RouteName] | None:
    """Return the view and what is asked of it by the name of a route configuration; None where no listener of the view has it.

    Under a Sidecar a route configuration knows what its egress listener imports. That of a proxy port or socket has all ports (port 0).
    """
    wanted = RouteName.parse(name)
    if view.sidecar is None or name == HTTP_PROXY:
        return None if wanted is None else (view, wanted)
    listeners = ctx.derive(listeners_of, view)
    for index, listener in enumerate(listeners):
        if listener.is_catch_all:
            return None if wanted is None else (replace(view, listener=index), wanted)
        if listener.route == name:
            number = 0 if listener.serves_all_ports else listener.port
            return replace(view, listener=index), RouteName(number)
    return None


def serves_all_ports(ctx: Context, view: OutboundView, name: str) -> bool:
    """Tell whether a route configuration tells services apart by host and port."""
    asked = route_view(ctx, view, name)
    return asked is not None and not asked[1].port


def empty_route_configuration(name: str) -> RouteConfigurationInput:
    """Return the answer to a name that nothing stands for (any more): every request is answered 404."""
    return RouteConfigurationInput(name, ignore_port_in_host_matching=False, max_direct_response_body=None)


def _owns(entry: HostEntry, wanted: RouteName) -> bool:
    return bool({domain_name(wanted.host, wanted.port), wanted.host} & set(entry.domains))
