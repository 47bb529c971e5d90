"""Scopes: which services and VirtualServices a proxy imports, and what becomes of traffic to anything else (Istio ``SidecarScope``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject, oldest_first
from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.networking.destination_rule import ConnectionPool
from meshctl_operator.apis.networking.sidecar import OutboundMode as DeclaredMode
from meshctl_operator.apis.networking.sidecar import SidecarPort, SidecarSpec
from meshctl_operator.apis.networking.virtual_service import VirtualServiceSpec
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import matches, resolve_short_name, subset_of
from meshctl_operator.base.labels import Labels, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import codes
from meshctl_operator.model.mesh import cluster_domain, mesh_config
from meshctl_operator.model.protocols import Protocol, parse_protocol
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.services import Resolution, Service, preferred, service, visible_services
from meshctl_operator.model.views import OutboundView
from meshctl_operator.registry.cells import Cell, Table, object_cell

_ALL = "*"
_OWN = "."
_NOT = "~"


class OutboundMode(StrEnum):
    """What becomes of outbound traffic that no service of the scope takes."""

    ALLOW_ANY = "ALLOW_ANY"
    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY_DYNAMIC_DNS = "ALLOW_ANY_DYNAMIC_DNS"


@dataclass(frozen=True, slots=True)
class EgressHosts:
    """The hosts of one egress listener as pairs of namespace (or ``*``) and host pattern: those that it imports and those it does not.

    ``port`` is the only port of its services that it imports; 0 stands for all of them.
    """

    included: tuple[tuple[str, str], ...]
    excluded: tuple[tuple[str, str], ...] = ()
    port: int = 0

    def services(self, visible: Iterable[Service]) -> Iterator[Service]:
        """Yield the services that are imported, with the ports that are; one without the port of the listener is not."""
        for found in visible:
            if self.imports_service(found.namespace, found.host):
                ports = tuple(port for port in found.ports if self.port in {0, port.number})
                if ports == found.ports:
                    yield found
                elif ports:
                    yield replace(found, ports=ports)

    def imports_service(self, namespace: str, host: str) -> bool:
        """Tell whether a service is imported: some pattern of its namespace or of all covers it, and none excludes it."""
        return self._covers(self.included, namespace, host) and not self._covers(self.excluded, namespace, host)

    def imports_virtual_service(self, namespace: str, hosts: Iterable[str]) -> bool:
        """Tell whether a VirtualService is imported: one of its hosts overlaps a pattern, in either direction, and is not excluded."""
        return any(
            not self._covers(self.excluded, namespace, host)
            and any(own in {_ALL, namespace} and matches(host, pattern) for own, pattern in self.included)
            for host in hosts
        )

    @staticmethod
    def _covers(patterns: tuple[tuple[str, str], ...], namespace: str, host: str) -> bool:
        return any(own in {_ALL, namespace} and subset_of(host, pattern) for own, pattern in patterns)


EVERYTHING = (EgressHosts(((_ALL, _ALL),)),)
"""What a proxy without a Sidecar object imports: ``*/*``."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a proxy imports. ``services`` holds each host once, in order of import; ``hosts`` is one entry per egress listener.

    ``egress_proxy`` is where traffic goes that no service takes, None where it goes out directly (or nowhere).
    """

    services: tuple[Service, ...]
    outbound_mode: OutboundMode
    sidecar: ObjectKey | None
    hosts: tuple[EgressHosts, ...]
    egress_proxy: Destination | None = None


def scope(ctx: Context, view: OutboundView) -> Scope:
    """Return the scope of the view. Gateways import everything that their namespace may see and let unknown traffic pass.

    A view of one egress listener imports what that listener does, without what VirtualServices add for their destinations.
    """
    if view.role is ProxyRole.ROUTER:
        return Scope(ctx.derive(_imported, view.namespace, None), OutboundMode.ALLOW_ANY, None, EVERYTHING)
    hosts = ctx.derive(egress_hosts, view.namespace, view.sidecar)
    if view.listener is not None:
        hosts = hosts[view.listener : view.listener + 1]
    return Scope(
        services=_services(ctx, view),
        outbound_mode=_outbound_mode(ctx, view.sidecar),
        sidecar=view.sidecar,
        hosts=hosts,
        egress_proxy=_egress_proxy(ctx, view),
    )


def _services(ctx: Context, view: OutboundView) -> tuple[Service, ...]:
    if view.listener is None:
        return ctx.derive(_imported, view.namespace, view.sidecar)
    return ctx.derive(_imported_by_listener, view.namespace, view.sidecar, view.listener)


def scope_service(ctx: Context, view: OutboundView, host: str) -> Service | None:
    """Return the service of that host in the scope of the view, if it is imported."""
    if view.sidecar is None or view.role is ProxyRole.ROUTER:
        return ctx.derive(service, view.namespace, host)
    imported = ctx.derive(_imported_by_host, view.namespace, view.sidecar)
    if host in imported:
        return imported[host]
    target = ctx.derive(service, view.namespace, host)  # an alias leads to a service of another host
    return imported.get(target.host) if target is not None else None


def scope_shard(ctx: Context, view: OutboundView, number: int) -> tuple[Service, ...]:
    """Return the services of the scope whose hosts are in a shard, in the order of the scope (tracked)."""
    sidecar = view.sidecar if view.role is ProxyRole.SIDECAR else None
    return ctx.derive(_shards, view.namespace, sidecar, view.listener)[number]


# Sidecar objects


def sidecar_for(ctx: Context, namespace: str, labels: Labels) -> ObjectKey | None:
    """Return the Sidecar that holds for a workload.

    Of its namespace the oldest whose selector matches, else the oldest without a selector; else the oldest without a selector in the
    root namespace.
    """
    own: tuple[ConfigObject[SidecarSpec], ...] = ctx.fetch(Cell(Table.SIDECARS, namespace))
    carried = dict(labels)
    for obj in own:
        if (selector := obj.spec.workload_selector) is not None and selects(selector.labels, carried):
            return obj.key
    root: tuple[ConfigObject[SidecarSpec], ...] = ctx.fetch(Cell(Table.SIDECARS, mesh_config(ctx).root_namespace))
    return next((obj.key for obj in (*own, *root) if obj.spec.workload_selector is None), None)


def sidecar_diagnostics(ctx: Context, namespace: str) -> tuple[Diagnostic, ...]:
    """Return a warning for each Sidecar of the namespace that an older one with the same selector hides for good."""
    first: dict[tuple[tuple[str, str], ...] | None, ObjectKey] = {}
    found: list[Diagnostic] = []
    for obj in sorted(ctx.fetch(Cell(Table.SIDECARS, namespace)), key=oldest_first):
        selector = obj.spec.workload_selector
        key = None if selector is None else tuple(sorted(selector.labels.items()))
        older = first.setdefault(key, obj.key)
        if older != obj.key:
            about = "has no workloadSelector" if selector is None else "has the same workloadSelector"
            message = f"{about} and is never used: the older Sidecar {older.name!r} holds for the same workloads"
            found.append(codes.SEVERAL_SIDECARS.warning(obj.key, "spec.workloadSelector", message, hint="merge the two"))
    return tuple(found)


def egress_hosts(ctx: Context, namespace: str, sidecar: ObjectKey | None) -> tuple[EgressHosts, ...]:
    """Return what a Sidecar lets proxies of the namespace import, one entry per egress listener; everything where it says nothing."""
    spec = _sidecar(ctx, sidecar)
    if spec is None or not spec.egress:
        return EVERYTHING
    return tuple(replace(_listener_hosts(listener.hosts, namespace), port=_service_port(listener.port)) for listener in spec.egress)


def inbound_connection_pool(ctx: Context, sidecar: ObjectKey | None) -> ConnectionPool | None:
    """Return the pool that a Sidecar sets for traffic to its workload, in the place of any DestinationRule's."""
    spec = _sidecar(ctx, sidecar)
    return spec.inbound_connection_pool if spec else None


def _sidecar(ctx: Context, key: ObjectKey | None) -> SidecarSpec | None:
    if key is None:
        return None
    found: tuple[ConfigObject[SidecarSpec], ...] = ctx.fetch(object_cell(Kind.SIDECAR, key.namespace, key.name))
    return found[0].spec if found else None


def _service_port(port: SidecarPort | None) -> int:
    """Return the service port that a listener is for: none where it is a proxy for HTTP, or a socket."""
    return 0 if port is None or parse_protocol(port.protocol) is Protocol.HTTP_PROXY else port.number


def _listener_hosts(hosts: tuple[str, ...], namespace: str) -> EgressHosts:
    included: list[tuple[str, str]] = []
    excluded: list[tuple[str, str]] = []
    for entry in hosts:
        own, _, host = entry.partition("/")
        target = excluded if own.startswith(_NOT) else included
        own = own.removeprefix(_NOT) or _ALL
        target.append((namespace if own == _OWN else own, host))
    return EgressHosts(tuple(included), tuple(excluded))


def _egress_proxy(ctx: Context, view: OutboundView) -> Destination | None:
    spec = _sidecar(ctx, view.sidecar)
    declared = spec.outbound_traffic_policy.egress_proxy if spec is not None and spec.outbound_traffic_policy is not None else None
    if declared is None:
        return None
    return declared.model_copy(update={"host": resolve_short_name(declared.host, view.namespace, cluster_domain(ctx))})


def _outbound_mode(ctx: Context, sidecar: ObjectKey | None) -> OutboundMode:
    spec = _sidecar(ctx, sidecar)
    policy = spec.outbound_traffic_policy if spec else None
    mode = policy.mode if policy else mesh_config(ctx).outbound_traffic_policy.mode
    match mode:
        case DeclaredMode.REGISTRY_ONLY:
            return OutboundMode.REGISTRY_ONLY
        case DeclaredMode.ALLOW_ANY_DYNAMIC_DNS if policy is None:  # a setting of the mesh; a Sidecar cannot ask for it
            return OutboundMode.ALLOW_ANY_DYNAMIC_DNS
        case _:
            return OutboundMode.ALLOW_ANY


# Services


def _imported(ctx: Context, namespace: str, sidecar: ObjectKey | None) -> tuple[Service, ...]:
    """Return the services that proxies of the namespace import under a Sidecar (None: all that they may see), each host once."""
    hosts = ctx.derive(egress_hosts, namespace, sidecar)
    imported = _by_host(ctx, namespace, hosts)
    if hosts != EVERYTHING:
        for host, ports in _destinations(ctx, namespace, hosts).items():
            found = ctx.derive(service, namespace, host)
            if found is not None and found.host not in imported:
                imported[found.host] = (
                    found if 0 in ports else replace(found, ports=tuple(port for port in found.ports if port.number in ports))
                )
    return tuple(imported.values())


def _imported_by_listener(ctx: Context, namespace: str, sidecar: ObjectKey | None, listener: int) -> tuple[Service, ...]:
    """Return the services that one egress listener of a Sidecar imports, each host once."""
    hosts = ctx.derive(egress_hosts, namespace, sidecar)[listener : listener + 1]
    return tuple(_by_host(ctx, namespace, hosts).values())


def _by_host(ctx: Context, namespace: str, hosts: tuple[EgressHosts, ...]) -> dict[str, Service]:
    visible = ctx.derive(visible_services, namespace)
    candidates: dict[str, list[Service]] = {}
    for listener in hosts:
        chosen = visible if hosts == EVERYTHING else listener.services(visible)
        for each in chosen:
            if each.resolution is Resolution.ALIAS:
                continue  # another name of the service that it stands for
            known = candidates.setdefault(each.host, [])
            if each not in known:
                known.append(each)
    return {host: found for host, declared in candidates.items() if (found := preferred(declared, namespace)) is not None}


def _shards(ctx: Context, namespace: str, sidecar: ObjectKey | None, listener: int | None) -> tuple[tuple[Service, ...], ...]:
    shards: list[list[Service]] = [[] for _ in range(SHARDS)]
    chosen = (
        ctx.derive(_imported, namespace, sidecar) if listener is None else ctx.derive(_imported_by_listener, namespace, sidecar, listener)
    )
    for found in chosen:
        shards[shard_of(found.host)].append(found)
    return tuple(map(tuple, shards))


def _imported_by_host(ctx: Context, namespace: str, sidecar: ObjectKey | None) -> dict[str, Service]:
    return {found.host: found for found in ctx.derive(_imported, namespace, sidecar)}


def _destinations(ctx: Context, namespace: str, hosts: tuple[EgressHosts, ...]) -> dict[str, set[int]]:
    """Return the hosts and ports that imported VirtualServices route to; port 0 stands for all. Those are imported as well."""
    from meshctl_operator.model.virtual_services import resolved, virtual_services  # both modules read each other's results

    found: dict[str, set[int]] = {}
    for head in ctx.derive(virtual_services, namespace, "mesh"):
        item = ctx.derive(resolved, head.key)
        if item is not None and any(listener.imports_virtual_service(item.namespace, item.hosts) for listener in hosts):
            for destination in _destinations_of(item.spec, namespace):
                found.setdefault(destination.host, set()).add(destination.port.number if destination.port else 0)
    return found


def _destinations_of(spec: VirtualServiceSpec, namespace: str) -> Iterator[Destination]:
    """Yield every destination of the VirtualService, but those of HTTP routes that are for clients of other namespaces alone."""
    for http in spec.http:
        if http.match and all(match.source_namespace not in {"", namespace} for match in http.match):
            continue
        mirrors = (http.mirror, *(mirror.destination for mirror in http.mirrors))
        yield from (found for found in (*(route.destination for route in http.route), *mirrors) if found is not None)
    for routes in (*(rule.route for rule in spec.tcp), *(rule.route for rule in spec.tls)):
        yield from (route.destination for route in routes)
