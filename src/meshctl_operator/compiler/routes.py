"""Route configurations: virtual hosts are emitted once, whoever has them, and put together as bytes in the form that a client takes.

A table of routes knows its parts, shard by shard. From those come the whole RouteConfiguration, joined when somebody asks for it, and the
split form: a shell, and a resource for each virtual host (``emit.routes.splitting``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, NamedTuple

from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_SHARD, SHARDS, ShardedMap, shard_of
from meshctl_operator.compiler.emit.resources import ROUTE_TYPE, VIRTUAL_HOST_TYPE, serialised
from meshctl_operator.compiler.emit.routes import (
    emit_route,
    emit_route_configuration,
    emit_split_route_configuration,
    emit_virtual_host,
    frame_virtual_host,
    join_route_configuration,
    rename_virtual_host,
    virtual_host_resource_name,
)
from meshctl_operator.compiler.emit.routes.splitting import NO_VIRTUAL_HOST
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput, RouteInput, VirtualHostInput
from meshctl_operator.compiler.plan.gateway_routes import GatewayHost, GatewayTable, gateway_shell, plan_gateway_table
from meshctl_operator.compiler.plan.http_routes import RouteTarget, plan_routes
from meshctl_operator.compiler.plan.proxy_headers import counts_attempts
from meshctl_operator.compiler.plan.sidecar_hosts import HostEntry
from meshctl_operator.compiler.plan.sidecar_routes import (
    RouteName,
    plan_catch_all,
    plan_sidecar_hosts,
    plan_virtual_host,
    serves_all_ports,
    sidecar_shell,
)
from meshctl_operator.compiler.resources import CompiledResource, Resources, compiled_resource
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.views import GatewayView, OutboundView
from meshctl_operator.xds.resources import ContentHash, content_hash
from meshctl_operator.xds.virtual_hosts import shell_version
from meshctl_operator.xds.wire import bytes_field

_ROUTES: Final = 3  # field of VirtualHost


@hash_once
@dataclass(frozen=True, slots=True)
class VirtualHostPart:
    """One virtual host, serialised. Two are equal when content and provenance are."""

    name: str
    version: ContentHash
    provenance: tuple[ObjectKey, ...]
    body: bytes = field(repr=False, compare=False)
    frame: bytes = field(repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)


Parts = Mapping[str, VirtualHostPart]


@dataclass(frozen=True, slots=True)
class RouteTable:
    """One route configuration: its shell, its virtual hosts by shard, the ones that come last, and objects that all of it comes from.

    ``splits`` says that its virtual hosts may be resources of their own: not those for the one host of a sniffed port.
    """

    shell: RouteConfigurationInput
    shards: tuple[Parts, ...] = ()
    last: tuple[VirtualHostPart, ...] = ()
    sources: tuple[ObjectKey, ...] = ()
    splits: bool = False
    _joined: CompiledResource = field(init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the route configuration."""
        return self.shell.name

    def parts(self) -> Iterator[VirtualHostPart]:
        """Yield the virtual hosts in the order of their names, then the last ones."""
        hosts = sorted(((name, shard) for shard in self.shards for name in shard), key=itemgetter(0))
        yield from (shard[name] for name, shard in hosts)
        yield from self.last

    def whole(self) -> CompiledResource:
        """Return the RouteConfiguration with its virtual hosts, joined when it is asked for first."""
        try:
            return self._joined
        except AttributeError:
            joined = self._join()
            object.__setattr__(self, "_joined", joined)
            return joined

    def _join(self) -> CompiledResource:
        """Join the parts. The version is the hash of their versions, since hashing a megabyte costs more than joining it."""
        parts = tuple(self.parts())
        shell = serialised(emit_route_configuration, self.shell, emit_route_configuration(self.shell))
        body = join_route_configuration(self.name, shell, (part.frame for part in parts))
        version = content_hash(b"".join((shell, *(part.version.encode() for part in parts))))
        return compiled_resource(ROUTE_TYPE, self.name, body, (self.sources, *(part.provenance for part in parts)), version=version)

    def split(self) -> CompiledResource:
        """Return the RouteConfiguration that says where its virtual hosts come from; the whole one where that is the only form."""
        if not self.splits:
            return self.whole()
        body = serialised(emit_split_route_configuration, self.shell, emit_split_route_configuration(self.shell))
        return compiled_resource(ROUTE_TYPE, self.name, body, (self.sources,), version=shell_version(body))


# Sidecars


def sidecar_route(ctx: Context, view: OutboundView, name: str) -> RouteTable:
    """Return the route configuration of that name, with the catch-all at its end (tracked)."""
    shards = tuple(ctx.derive(sidecar_shard, view, name, number) for number in range(SHARDS))
    catch_all = ctx.derive(plan_catch_all, view, name)
    last = () if catch_all is None else (_part(Planned(catch_all)),)
    sources = (view.sidecar,) if view.sidecar is not None else ()
    wanted = RouteName.parse(name)
    shell = sidecar_shell(name, all_ports=serves_all_ports(ctx, view, name))
    return RouteTable(shell, shards, last, sources, splits=wanted is not None and not wanted.host)


def sidecar_shard(ctx: Context, view: OutboundView, name: str, number: int) -> Parts:
    """Return the virtual hosts of one shard of a sidecar's route configuration (tracked)."""
    hosts = ctx.derive(_sidecar_entries, view, name, number)
    return {entry.name: ctx.derive(_sidecar_part, entry) for entry in hosts} if hosts else EMPTY_SHARD


def _sidecar_entries(ctx: Context, view: OutboundView, name: str, number: int) -> tuple[HostEntry, ...]:
    return ctx.derive(plan_sidecar_hosts, view, name)[number]


def _sidecar_part(ctx: Context, entry: HostEntry) -> VirtualHostPart:
    return _part(plan_virtual_host(ctx, entry))


def _part(host: Planned[VirtualHostInput]) -> VirtualHostPart:
    body = serialised(emit_virtual_host, host.input, emit_virtual_host(host.input))
    return VirtualHostPart(host.input.name, content_hash(body), host.provenance, body, frame_virtual_host(body))


# Gateways


def gateway_route(ctx: Context, view: GatewayView, name: str) -> RouteTable:
    """Return the route configuration of that name (tracked)."""
    table = ctx.derive(plan_gateway_table, view, name)
    if table is None:
        return RouteTable(gateway_shell(name, None), splits=True)
    shards = tuple(ctx.derive(gateway_shard, view, name, number) for number in range(SHARDS))
    last = () if table.fallback is None else (_part(Planned(table.fallback)),)
    return RouteTable(gateway_shell(name, table), shards, last, table.gateways, splits=True)


def gateway_shard(ctx: Context, view: GatewayView, name: str, number: int) -> Parts:
    """Return the virtual hosts of one shard of a gateway's route configuration (tracked)."""
    hosts = ctx.derive(_gateway_hosts, view, name, number)
    return {host.name: ctx.derive(_gateway_part, host) for host in hosts} if hosts else EMPTY_SHARD


def _gateway_hosts(ctx: Context, view: GatewayView, name: str, number: int) -> tuple[GatewayHost, ...]:
    table: GatewayTable | None = ctx.derive(plan_gateway_table, view, name)
    return table.shards[number] if table is not None else ()


def _gateway_part(ctx: Context, host: GatewayHost) -> VirtualHostPart:
    """Return one virtual host: the routes of its VirtualServices one after the other, those that match everything last.

    A shop's host may have the routes of a thousand VirtualServices, so they are joined as bytes, too.
    """
    emitted = [ctx.derive(_routes, target, key) for target, key in host.sources]
    # Two servers or gateways with one host give the same route twice, and the second is never reached.
    routes = sorted(dict.fromkeys(route for each in emitted for route in each.routes), key=_catch_all)
    front = VirtualHostInput(host.name, host.domains, (), attempt_count=False)
    back = VirtualHostInput("", (), (), host.require_tls, attempt_count=ctx.derive(counts_attempts))
    head, tail = (serialised(emit_virtual_host, shell, emit_virtual_host(shell)) for shell in (front, back))
    body = b"".join((head, *(route.frame for route in routes), tail))
    version = content_hash(b"".join((head, *(route.digest for route in routes), tail)))
    provenance = sorted({key for each in emitted for key in each.provenance})
    return VirtualHostPart(host.name, version, tuple(provenance), body, frame_virtual_host(body))


class _Route(NamedTuple):
    """One route, serialised and framed as the field of a VirtualHost, with the hash of it."""

    catch_all: bool
    digest: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of one VirtualService for one target."""

    routes: tuple[_Route, ...]
    provenance: tuple[ObjectKey, ...]


def _routes(ctx: Context, target: RouteTarget, key: ObjectKey) -> _Routes:
    plan = ctx.derive(plan_routes, target, key)
    return _Routes(tuple(map(_emitted, plan.routes)), plan.provenance)


def _emitted(route: RouteInput) -> _Route:
    frame = bytes_field(_ROUTES, serialised(emit_route, route, emit_route(route)))
    return _Route(route.match.is_catch_all, hashlib.sha256(frame).digest(), frame)


def _catch_all(route: _Route) -> bool:
    return route.catch_all


# The split form


def virtual_hosts(ctx: Context, view: OutboundView | GatewayView, names: tuple[str, ...]) -> Resources:
    """Return the virtual hosts of all route configurations of a view that split, as resources (tracked)."""
    shards = [ctx.derive(virtual_host_shard, view, names, number) for number in range(SHARDS)]
    astray: dict[str, CompiledResource] = {}
    for name in names:
        table = _table(ctx, view, name)
        if table.splits:
            last = table.last if table.last or any(table.shards) else (_part(Planned(NO_VIRTUAL_HOST)),)
            astray.update(_resource(name, part) for part in last)
    kept: list[dict[str, CompiledResource]] = []
    for number, shard in enumerate(shards):
        elsewhere = {host: resource for host, resource in shard.items() if shard_of(host) != number}
        astray.update(elsewhere)
        kept.append({host: resource for host, resource in shard.items() if host not in elsewhere} if elsewhere else shard)
    return ShardedMap(tuple(kept)).with_items(astray)


def virtual_host_shard(ctx: Context, view: OutboundView | GatewayView, names: tuple[str, ...], number: int) -> dict[str, CompiledResource]:
    """Return the virtual hosts of one shard of their names as resources; a strange name may belong to another shard then (tracked)."""
    found: dict[str, CompiledResource] = {}
    for name in names:
        if isinstance(view, GatewayView):
            parts = ctx.derive(gateway_shard, view, name, number)
        else:
            wanted = RouteName.parse(name)
            parts = ctx.derive(sidecar_shard, view, name, number) if wanted is not None and not wanted.host else EMPTY_SHARD
        for part in parts.values():
            resource = ctx.derive(_split_host, name, part)
            found[resource.name] = resource
    return found or EMPTY_SHARD


def _table(ctx: Context, view: OutboundView | GatewayView, name: str) -> RouteTable:
    return ctx.derive(gateway_route, view, name) if isinstance(view, GatewayView) else ctx.derive(sidecar_route, view, name)


def _split_host(_ctx: Context, route: str, part: VirtualHostPart) -> CompiledResource:
    return _resource(route, part)[1]


def _resource(route: str, part: VirtualHostPart) -> tuple[str, CompiledResource]:
    name = virtual_host_resource_name(route, part.name)
    body = rename_virtual_host(part.body, part.name, name)
    return name, compiled_resource(VIRTUAL_HOST_TYPE, name, body, (part.provenance,), version=part.version)


LEAVES: Final = (_split_host,)
"""The derivations that emit resources."""
TABLES: Final = (sidecar_route, gateway_route)
"""The derivations that put them together."""
