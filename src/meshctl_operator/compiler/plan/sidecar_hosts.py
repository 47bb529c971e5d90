"""Which virtual hosts a sidecar's route configuration has: who claims each service, and who gets which domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.hostname import is_wildcard, parent_wildcards, specificity_key, subset_of
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.compiler.plan.domains import Domains, concerning, domain_name, host_domains, service_domains, unique_domains
from meshctl_operator.compiler.plan.http_routes import RouteTarget, Targets, has_routes
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.scopes import scope, scope_shard
from meshctl_operator.model.services import Protocol, Resolution, Service
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import MESH, VirtualServiceHead, scoped_shard, scoped_virtual_services

_PLAIN_HTTP: Final = 80  # a URL without a port means this one


@hash_once
@dataclass(frozen=True, slots=True)
class HostEntry:
    """One virtual host to be, with everything that decides it: equal entries of several views are one virtual host.

    ``sources`` are the objects that declare ``host`` as a service of the scope and its aliases, none where it is no service; ``rules`` is
    the VirtualService that claims it, None for the default route.
    """

    host: str
    port: int
    sources: tuple[ObjectKey, ...]
    rules: ObjectKey | None
    domains: tuple[str, ...]
    target: RouteTarget
    _hash: int = field(init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name of the virtual host."""
        return domain_name(self.host, self.port)


@dataclass(frozen=True, slots=True)
class PortHosts:
    """The virtual hosts of a port in order of precedence."""

    entries: tuple[HostEntry, ...]

    def by_shard(self) -> tuple[tuple[HostEntry, ...], ...]:
        """Return the entries by the shard of their names."""
        shards: list[list[HostEntry]] = [[] for _ in range(SHARDS)]
        for entry in self.entries:
            shards[shard_of(entry.name)].append(entry)
        return tuple(map(tuple, shards))


@dataclass(frozen=True, slots=True)
class _Claim:
    """Services and plain hosts of one port that share their routes (Istio ``VirtualHostWrapper``)."""

    port: int
    rules: ObjectKey | None
    services: tuple[Service, ...]
    target: RouteTarget
    hosts: tuple[str, ...] = ()


def plan_hosts(ctx: Context, view: OutboundView, port: int) -> PortHosts:
    """Return the virtual hosts of a port (0: of all ports, for the HTTP proxy port) in order of precedence (tracked).

    The first VirtualService that names a service claims it; the rest of the services get their default route. A domain belongs to
    whoever comes first, whatever its case. Without a port of its own (an HTTP proxy port) every domain but those of port 80 needs
    ``:port``, since the proxy sees the port of the URL.
    """
    facts = {host: fact for number in range(SHARDS) for host, fact in ctx.derive(services_of_shard, view, port, number).items()}
    services = {host: facts[host].service for found in ctx.derive(scope, view).services if (host := found.host.lower()) in facts}
    targets = _PortTargets(ctx, view)
    claims = _claims(ctx, view, port, facts, services, targets)
    claimed = {found.host for claim in claims for found in claim.services}
    claims += [
        _Claim(number, None, (found,), targets.of(number).for_host(found.host))
        for host, found in services.items()
        if found.host not in claimed
        for number in facts[host].ports
    ]
    full_names = frozenset(
        name for claim in claims for found in claim.services for name in facts[found.host.lower()].full_names(claim.port)
    )
    names: set[str] = set()
    taken: set[str] = set()
    entries: list[HostEntry] = []
    for claim in claims:
        with_port = 0 if port else claim.port
        for host in claim.hosts:
            entries += _entry(
                host, claim, names, unique_domains(_shown(host_domains(host, with_port), with_port), frozenset(), full_names, taken)
            )
        for found in claim.services:
            if domain_name(found.host, claim.port) in names:
                continue
            domains = facts[found.host.lower()].domains or service_domains(_addressed(found, view), view.dns_domain, with_port)
            mine = unique_domains(_shown(domains.names, with_port), domains.expanded, full_names, taken)
            entries += _entry(found.host, claim, names, mine, found.sources)
    return PortHosts(tuple(entries))


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What the virtual hosts of a port take from one service, whoever claims it.

    ``ports`` are those that HTTP may arrive on; ``domains`` is None where they depend on the port that they are claimed for.
    """

    service: Service
    ports: tuple[int, ...]
    domains: Domains | None

    def full_names(self, port: int) -> tuple[str, str]:
        """Return the names that no derived name of another service may take."""
        host = self.service.host.lower()
        return host, domain_name(host, port)


def services_of_shard(ctx: Context, view: OutboundView, port: int, number: int) -> dict[str, ServiceFacts]:
    """Return the services of one shard of the scope that have a port (0: any), by their hosts in lower case (tracked)."""
    return {
        found.host.lower(): ctx.derive(service_facts, _addressed(found, view), port, concerning(found, view.dns_domain))
        for found in ctx.derive(scope_shard, view, number)
        if (not port or found.port(port) is not None) and plain_text_problem(found.host) is None
    }


def _addressed(found: Service, view: OutboundView) -> Service:
    """Return the service with the addresses that clients know it by: automatic ones where DNS is answered for them."""
    return replace(found, addresses=found.automatic_addresses) if view.dns_capture and not found.addresses else found


def service_facts(_ctx: Context, service: Service, port: int, dns_domain: str) -> ServiceFacts:
    """Return what a port (0: any) takes from a service; ``dns_domain`` is what of it matters to the service (tracked)."""
    return ServiceFacts(service, _http_ports(service, port), service_domains(service, dns_domain, 0) if port else None)


def routed_of_shard(ctx: Context, view: OutboundView, port: int, number: int) -> dict[ObjectKey, RouteTarget]:
    """Return the VirtualServices of one shard that have routes for a port and may claim something there, with what they are compiled for.

    Which shard one is in is decided by its first host, so that most look at the services of one shard (tracked).
    """
    found: dict[ObjectKey, RouteTarget] = {}
    targets = Targets(ctx, RouteTarget(MESH, port, view.namespace, view.labels, view=view))
    for item in ctx.derive(scoped_shard, view, number):
        if port == _PLAIN_HTTP or any(_is_claimable(ctx, view, port, host) for host in item.hosts):
            target = targets.for_rules(item.key)
            if ctx.derive(has_routes, target, item.key):
                found[item.key] = target
    return found


def _is_claimable(ctx: Context, view: OutboundView, port: int, host: str) -> bool:
    return is_wildcard(host) or host.lower() in ctx.derive(services_of_shard, view, port, shard_of(host))


class _PortTargets:
    """The targets of a view, by port."""

    def __init__(self, ctx: Context, view: OutboundView) -> None:
        self._ctx, self._view = ctx, view
        self._by_port: dict[int, Targets] = {}

    def of(self, port: int) -> Targets:
        found = self._by_port.get(port)
        if found is None:
            view = self._view
            found = self._by_port[port] = Targets(self._ctx, RouteTarget(MESH, port, view.namespace, view.labels, view=view))
        return found


def _entry(
    host: str, claim: _Claim, names: set[str], domains: tuple[str, ...], sources: tuple[ObjectKey, ...] = ()
) -> tuple[HostEntry, ...]:
    """Return the entry, or nothing where its name is taken or no domain is left for it."""
    name = domain_name(host, claim.port)
    if name in names or not domains:
        return ()
    names.add(name)
    return (HostEntry(host, claim.port, sources, claim.rules, domains, claim.target),)


def _shown(domains: tuple[str, ...], with_port: int) -> Iterable[str]:
    if with_port in {0, _PLAIN_HTTP}:
        return domains
    return (domain for domain in domains if domain.endswith(f":{with_port}"))


def _http_ports(found: Service, port: int) -> tuple[int, ...]:
    """Return the ports of the service that HTTP may arrive on: declared so, or of undeclared protocol. Aliases have none of their own."""
    if found.resolution is Resolution.ALIAS:
        return ()
    numbers = (each.number for each in found.ports if each.protocol.is_http or each.protocol is Protocol.UNSUPPORTED)
    return tuple(dict.fromkeys(number for number in numbers if not port or number == port))


def _claims(
    ctx: Context,
    view: OutboundView,
    port: int,
    facts: Mapping[str, ServiceFacts],
    services: Mapping[str, Service],
    targets: _PortTargets,
) -> list[_Claim]:
    """Return what each VirtualService with routes for this proxy claims, in order of precedence."""
    imported = ctx.derive(scoped_virtual_services, view)
    owners = _Owners.of(imported, services)
    routed = (
        {key: target for number in range(SHARDS) for key, target in ctx.derive(routed_of_shard, view, port, number).items()} if port else {}
    )
    claims: list[_Claim] = []
    for item in imported:
        if port and item.key not in routed:
            continue
        claimed, plain = owners.split(item)
        by_port: dict[int, list[Service]] = {}
        for found in claimed:
            for number in facts[found.host.lower()].ports:
                by_port.setdefault(number, []).append(found)
        if not by_port and port == _PLAIN_HTTP:
            by_port[_PLAIN_HTTP] = []
        for number, found_services in sorted(by_port.items()):
            target = routed.get(item.key) or targets.of(number).for_rules(item.key)
            if port or ctx.derive(has_routes, target, item.key):
                claims.append(_Claim(number, item.key, tuple(found_services), target, plain))
    return claims


@dataclass(slots=True)
class _Owners:
    """Which VirtualService is the most specific for a service: exact host, else longest wildcard; of equals the first."""

    services: Mapping[str, Service]
    exact: dict[str, ObjectKey] = field(default_factory=dict)
    wildcards: dict[str, ObjectKey] = field(default_factory=dict)
    of_wildcard: dict[str, list[Service]] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[VirtualServiceHead], services: Mapping[str, Service]) -> _Owners:
        owners = cls(services)
        for item in items:
            for host in item.hosts:
                (owners.wildcards if is_wildcard(host) else owners.exact).setdefault(host.lower(), item.key)
        if owners.wildcards:
            partial = sorted((host for host in owners.wildcards if host != "*" and not host.startswith("*.")), key=specificity_key)
            for host, found in services.items():
                for pattern in _covering(host, owners.wildcards, partial):
                    owners.of_wildcard.setdefault(pattern, []).append(found)
        return owners

    def split(self, item: VirtualServiceHead) -> tuple[tuple[Service, ...], tuple[str, ...]]:
        """Return the services that the VirtualService claims, and its hosts that are no service here."""
        claimed: dict[str, Service] = {}
        plain: list[str] = []
        for host in item.hosts:
            lowered = host.lower()
            if not is_wildcard(host):
                if lowered in self.services:
                    claimed.setdefault(lowered, self.services[lowered])
                elif host and plain_text_problem(host) is None:
                    plain.append(host)
                continue
            covered = self.of_wildcard.get(lowered, ())
            if not covered:
                plain.append(host)
            for found in covered:
                if self._owner(found.host.lower()) == item.key:
                    claimed.setdefault(found.host.lower(), found)
        return tuple(claimed.values()), tuple(plain)

    def _owner(self, host: str) -> ObjectKey | None:
        if host in self.exact:
            return self.exact[host]
        partial = [pattern for pattern in self.wildcards if pattern != "*" and not pattern.startswith("*.")]
        covering = _covering(host, self.wildcards, partial)
        return self.wildcards[covering[0]] if covering else None


def _covering(host: str, wildcards: Mapping[str, ObjectKey], partial: Iterable[str]) -> list[str]:
    """Return the wildcards that cover a host, longest first; ``partial`` are those that do not end at a dot, which need a walk."""
    found = [pattern for pattern in parent_wildcards(host) if pattern in wildcards]
    found += [pattern for pattern in partial if pattern not in found and subset_of(host, pattern)]
    return sorted(found, key=specificity_key)
