"""Which virtual hosts a sidecar's route configuration has: who claims each service, and who gets which domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.base.hostname import is_wildcard, parent_wildcards, specificity_key, subset_of
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.domains import domain_name, host_domains, service_domains, unique_domains
from meshctl_operator.compiler.plan.http_routes import RouteTarget, plan_routes
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.scopes import scope
from meshctl_operator.model.services import Protocol, Resolution, Service
from meshctl_operator.model.views import OutboundView
from meshctl_operator.model.virtual_services import MESH, ResolvedVirtualService, scoped_virtual_services

_PLAIN_HTTP: Final = 80  # a URL without a port means this one


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One virtual host to be.

    ``known`` says that ``host`` is a service of the scope; ``rules`` is the VirtualService that claims it, None for the default route.
    """

    host: str
    port: int
    known: bool
    rules: ObjectKey | None
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PortHosts:
    """The virtual hosts of a port in order of precedence, and every VirtualService that wants a say in them, heard or not."""

    entries: tuple[HostEntry, ...]
    rules: tuple[ObjectKey, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """Services and plain hosts of one port that share their routes (Istio ``VirtualHostWrapper``)."""

    port: int
    rules: ObjectKey | None
    services: tuple[Service, ...]
    hosts: tuple[str, ...] = ()


def plan_hosts(ctx: Context, view: OutboundView, port: int) -> PortHosts:
    """Return the virtual hosts of a port (0: of all ports, for the HTTP proxy port) in order of precedence (tracked).

    The first VirtualService that names a service claims it; the rest of the services get their default route. A domain belongs to
    whoever comes first, whatever its case. Without a port of its own (an HTTP proxy port) every domain but those of port 80 needs
    ``:port``, since the proxy sees the port of the URL.
    """
    services = {
        found.host.lower(): found
        for found in ctx.derive(scope, view).services
        if (not port or found.port(port) is not None) and plain_text_problem(found.host) is None
    }
    claims, rules = _claims(ctx, view, port, services)
    claimed = {found.host for claim in claims for found in claim.services}
    claims += [
        _Claim(number, None, (found,)) for found in services.values() if found.host not in claimed for number in _http_ports(found, port)
    ]
    full_names = frozenset(
        name.lower() for claim in claims for found in claim.services for name in (found.host, domain_name(found.host, claim.port))
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
            domains = service_domains(found, view.dns_domain, with_port)
            mine = unique_domains(_shown(domains.names, with_port), domains.expanded, full_names, taken)
            entries += _entry(found.host, claim, names, mine, known=True)
    return PortHosts(tuple(entries), rules)


def _entry(host: str, claim: _Claim, names: set[str], domains: tuple[str, ...], *, known: bool = False) -> tuple[HostEntry, ...]:
    """Return the entry, or nothing where its name is taken or no domain is left for it."""
    name = domain_name(host, claim.port)
    if name in names or not domains:
        return ()
    names.add(name)
    return (HostEntry(host, claim.port, known, claim.rules, domains),)


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


def _claims(ctx: Context, view: OutboundView, port: int, services: Mapping[str, Service]) -> tuple[list[_Claim], tuple[ObjectKey, ...]]:
    """Return what each VirtualService with routes for this proxy claims, in order of precedence; and all that are about this port."""
    imported = ctx.derive(scoped_virtual_services, view)
    owners = _Owners.of(imported, services)
    claims: list[_Claim] = []
    concerned: list[ObjectKey] = []
    for item in imported:
        claimed, plain = owners.split(item)
        by_port: dict[int, list[Service]] = {}
        for found in claimed:
            for number in _http_ports(found, port):
                by_port.setdefault(number, []).append(found)
        if not by_port and port == _PLAIN_HTTP:
            by_port[_PLAIN_HTTP] = []
        if by_port:
            concerned.append(item.key)
        for number, found_services in sorted(by_port.items()):
            target = RouteTarget(MESH, number, view.namespace, view.labels, view=view)
            if ctx.derive(plan_routes, target, item.key).routes:
                claims.append(_Claim(number, item.key, tuple(found_services), plain))
    return claims, tuple(concerned)


@dataclass(slots=True)
class _Owners:
    """Which VirtualService is the most specific for a service: exact host, else longest wildcard; of equals the first."""

    services: Mapping[str, Service]
    exact: dict[str, ObjectKey] = field(default_factory=dict)
    wildcards: dict[str, ObjectKey] = field(default_factory=dict)
    of_wildcard: dict[str, list[Service]] = field(default_factory=dict)

    @classmethod
    def of(cls, items: Iterable[ResolvedVirtualService], services: Mapping[str, Service]) -> _Owners:
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

    def split(self, item: ResolvedVirtualService) -> tuple[tuple[Service, ...], tuple[str, ...]]:
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
