"""Services of the mesh: from Kubernetes Services and from ServiceEntries, as one model (Istio ``model.Service``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject, oldest_first
from meshctl_operator.apis.networking.service_entry import Location, ServiceEntrySpec
from meshctl_operator.apis.networking.service_entry import Resolution as DeclaredResolution
from meshctl_operator.base.diagnostics import Compiled, Diagnostic
from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.labels import Labels, freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model import codes
from meshctl_operator.model.automatic_addresses import WANTED_LABEL, automatic_addresses, is_eligible
from meshctl_operator.model.mesh import cluster_domain, mesh_config
from meshctl_operator.model.protocols import Protocol, kubernetes_protocol, parse_protocol
from meshctl_operator.registry.cells import Cell, Table, object_cell

__all__ = [
    "Protocol",
    "Resolution",
    "Service",
    "ServicePort",
    "ServiceRegistry",
    "TrafficDistribution",
    "preferred",
    "service",
    "service_diagnostics",
    "services",
    "services_of",
    "visible_services",
]


class Resolution(StrEnum):
    """How endpoints of a service are found (Istio ``model.Resolution``)."""

    CLIENT_SIDE_LB = "ClientSideLB"
    DNS_LB = "DNSLB"
    DNS_ROUND_ROBIN_LB = "DNSRoundRobinLB"
    DYNAMIC_DNS = "DynamicDNS"
    PASSTHROUGH = "Passthrough"
    ALIAS = "Alias"


class TrafficDistribution(StrEnum):
    """Which endpoints a service prefers (Kubernetes ``spec.trafficDistribution``)."""

    ANY = "Any"
    SAME_ZONE = "PreferSameZone"
    SAME_NODE = "PreferSameNode"


class ServiceRegistry(StrEnum):
    """Where a service was declared."""

    KUBERNETES = "Kubernetes"
    EXTERNAL = "External"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a service. ``target_port`` is a number, a container port name, or 0 where it equals ``number``."""

    number: int
    name: str
    protocol: Protocol
    target_port: int | str = 0


@hash_once
@dataclass(frozen=True, slots=True)
class Service:
    """A host name with ports. ``addresses`` are its VIPs and CIDRs; empty means that none is known (Istio's 0.0.0.0).

    ``export_to`` is as declared, empty where it was not. ``created`` is the creation time in seconds since the epoch (0 unknown).
    ``automatic_addresses`` were allocated by a controller, for proxies that capture DNS. ``external_addresses`` lead to it from outside of
    its network, where it may be a gateway of one. ``aliases`` are hosts of services that stand for this one, declared by ``alias_sources``;
    ``external_name`` is the host that such a service stands for itself.
    ``source`` is the object that declared it; several services may come from one ServiceEntry (one per host).
    """

    host: str
    name: str
    namespace: str
    registry: ServiceRegistry
    resolution: Resolution
    ports: tuple[ServicePort, ...]
    source: ObjectKey
    addresses: tuple[str, ...] = ()
    mesh_external: bool = False
    export_to: tuple[str, ...] = ()
    created: float = 0.0
    labels: Labels = ()
    selector: Labels = ()
    service_accounts: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    alias_sources: tuple[ObjectKey, ...] = ()
    external_name: str = ""
    automatic_addresses: tuple[str, ...] = ()
    external_addresses: tuple[str, ...] = ()
    node_local: bool = False
    distribution: TrafficDistribution = TrafficDistribution.ANY
    race_first_connect: bool = False
    _hash: int = field(init=False, repr=False, compare=False)

    def port(self, number: int) -> ServicePort | None:
        """Return the port with the number, if the service has it."""
        return next((port for port in self.ports if port.number == number), None)

    @property
    def sources(self) -> tuple[ObjectKey, ...]:
        """The object that declares the service, and those that declare its aliases."""
        return (self.source, *self.alias_sources)

    @property
    def is_headless(self) -> bool:
        """Whether this is a Kubernetes service without a cluster IP."""
        return self.resolution is Resolution.PASSTHROUGH and self.registry is ServiceRegistry.KUBERNETES


_RESOLUTIONS: Final = {
    DeclaredResolution.NONE: Resolution.PASSTHROUGH,
    DeclaredResolution.STATIC: Resolution.CLIENT_SIDE_LB,
    DeclaredResolution.DNS: Resolution.DNS_LB,
    DeclaredResolution.DNS_ROUND_ROBIN: Resolution.DNS_ROUND_ROBIN_LB,
    DeclaredResolution.DYNAMIC_DNS: Resolution.DYNAMIC_DNS,
}

_DISTRIBUTION: Final = "networking.istio.io/traffic-distribution"
_NETWORK: Final = "topology.istio.io/network"
_DISTRIBUTIONS: Final = {
    "preferclose": TrafficDistribution.SAME_ZONE,
    "prefersamezone": TrafficDistribution.SAME_ZONE,
    "prefersamenode": TrafficDistribution.SAME_NODE,
}


def services(ctx: Context) -> tuple[Service, ...]:
    """Return every service of the mesh, oldest first (creation time, name, namespace)."""
    found = [service for key in ctx.fetch(Cell(Table.SERVICES, "*")) for service in ctx.derive(services_of, key)]
    return tuple(sorted(found, key=_oldest_first))


def service_diagnostics(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return what is wrong with the services of the mesh."""
    return tuple(found for key in ctx.fetch(Cell(Table.SERVICES, "*")) for found in ctx.derive(_converted, key).diagnostics)


@firewall
def services_of(ctx: Context, key: ObjectKey) -> tuple[Service, ...]:
    """Return the services that one object declares: one of a Kubernetes Service, one per host of a ServiceEntry, none if it is absent."""
    return ctx.derive(_converted, key).value


def visible_services(ctx: Context, namespace: str) -> tuple[Service, ...]:
    """Return the services that proxies of the namespace may see: those exported to it by name first, then the public ones, each oldest first."""
    default = mesh_config(ctx).default_service_export_to
    return _in_order_of_visibility(ctx.derive(services), namespace, default)


def service(ctx: Context, namespace: str, host: str) -> Service | None:
    """Return the service of that host that proxies of the namespace use, if they see one.

    Of several, the one of their own namespace, else one of Kubernetes, else the first that they see.
    """
    declared = [found for key in ctx.fetch(Cell(Table.SERVICES, host)) for found in ctx.derive(services_of, key) if found.host == host]
    default = mesh_config(ctx).default_service_export_to
    found = preferred(_in_order_of_visibility(sorted(declared, key=_oldest_first), namespace, default), namespace)
    if found is None or found.resolution is not Resolution.ALIAS:
        return found
    # In a circle of aliases nobody has aliases of a service, and the chain ends where it has been before.
    target = ctx.derive(alias_target, found.external_name)
    return ctx.derive(service, namespace, target) if target else None


def alias_target(ctx: Context, host: str) -> str:
    """Return the host at the end of a chain of aliases, or nothing where the chain has no end (tracked)."""
    seen: set[str] = set()
    while host not in seen:
        seen.add(host)
        declared = [found for key in ctx.fetch(Cell(Table.SERVICES, host)) for found in ctx.derive(services_of, key) if found.host == host]
        following = next((found.external_name for found in declared if found.resolution is Resolution.ALIAS), "")
        if not following or any(found.resolution is not Resolution.ALIAS for found in declared):
            return host
        host = following
    return ""


def aliases_of(ctx: Context, host: str) -> dict[str, ObjectKey]:
    """Return the hosts of ExternalName services that stand for the host, directly or by way of others, sorted, with their objects (tracked)."""
    found: dict[str, ObjectKey] = {}
    waiting = [host]
    while waiting:
        for key in ctx.fetch(Cell(Table.ALIASES, waiting.pop())):
            alias = f"{key.name}.{key.namespace}.svc.{cluster_domain(ctx)}"
            if alias != host and alias not in found:
                found[alias] = key
                waiting.append(alias)
    return dict(sorted(found.items()))


def preferred(candidates: Sequence[Service], namespace: str) -> Service | None:
    """Return the one of several visible services of the same host that proxies of the namespace use, or None of none.

    Own namespace before Kubernetes before first seen. Services that differ in nothing but their ports are taken together (Istio
    ``SidecarScope.appendSidecarServices``).
    """
    pool = [found for found in candidates if found.namespace == namespace] or list(candidates)
    if not pool:
        return None
    best = next((found for found in pool if found.registry is ServiceRegistry.KUBERNETES), pool[0])
    for other in pool:
        if other is not best and _same_but_for_ports(best, other):
            extra = tuple(port for port in other.ports if best.port(port.number) is None)
            best = replace(best, ports=best.ports + extra) if extra else best
    return best


def _same_but_for_ports(one: Service, other: Service) -> bool:
    return (
        one.namespace == other.namespace
        and one.resolution is other.resolution
        and one.registry is other.registry
        and one.labels == other.labels
        and one.selector == other.selector
        and one.export_to == other.export_to
    )


def _oldest_first(found: Service) -> tuple[float, str, str, str]:
    """Sort key: creation time, then name (of a ServiceEntry's service: its host), then namespace; last the object, to leave no tie."""
    return (found.created, found.name, found.namespace, found.source.name)


def _in_order_of_visibility(found: Iterable[Service], namespace: str, default: tuple[str, ...]) -> tuple[Service, ...]:
    private: list[Service] = []
    public: list[Service] = []
    for candidate in found:
        exported = candidate.export_to or default
        if "*" in exported or not exported:
            public.append(candidate)
        elif "~" not in exported and (namespace in exported or ("." in exported and candidate.namespace == namespace)):
            private.append(candidate)
    return (*private, *public)


def _converted(ctx: Context, key: ObjectKey) -> Compiled[tuple[Service, ...]]:
    for obj in ctx.fetch(Cell(Table.OBJECT, key)):
        found = _from_service_entry(ctx, obj) if obj.kind is Kind.SERVICE_ENTRY else _from_kubernetes(ctx, obj)
        return Compiled(tuple(_with_aliases(ctx, each) for each in found.value), found.diagnostics)
    return Compiled(())


def _with_aliases(ctx: Context, found: Service) -> Service:
    if found.resolution is Resolution.ALIAS or not ctx.fetch(Cell(Table.ALIASES, found.host)):
        return found
    aliases = aliases_of(ctx, found.host)
    return replace(found, aliases=tuple(aliases), alias_sources=tuple(aliases.values()))


def _from_kubernetes(ctx: Context, obj: ConfigObject[ServiceSpec]) -> Compiled[tuple[Service, ...]]:
    spec, annotations = obj.spec, obj.meta.annotations
    domain = cluster_domain(ctx)
    is_alias = spec.type == "ExternalName" and bool(spec.external_name)
    ports = tuple(
        ServicePort(
            number=port.port,
            name=port.name,
            protocol=kubernetes_protocol(port.port, port.name, port.app_protocol, port.protocol),
            target_port=_target_port(port.target_port),
        )
        for port in spec.ports
    )
    accounts = _comma_list(annotations.get("alpha.istio.io/canonical-serviceaccounts", ""))
    trust_domain = mesh_config(ctx).trust_domain
    accounts += tuple(
        f"spiffe://{trust_domain}/ns/{obj.key.namespace}/sa/{account}"
        for account in _comma_list(annotations.get("alpha.istio.io/kubernetes-serviceaccounts", ""))
    )
    found = Service(
        host=f"{obj.key.name}.{obj.key.namespace}.svc.{domain}",
        name=obj.key.name,
        namespace=obj.key.namespace,
        registry=ServiceRegistry.KUBERNETES,
        resolution=Resolution.PASSTHROUGH if spec.is_headless else Resolution.ALIAS if is_alias else Resolution.CLIENT_SIDE_LB,
        ports=ports,
        source=obj.key,
        addresses=spec.addresses,
        export_to=_comma_list(annotations.get("networking.istio.io/exportTo", "")),
        created=oldest_first(obj)[0],
        labels=freeze(obj.meta.labels),
        mesh_external=is_alias,
        selector=() if is_alias else freeze(spec.selector),
        service_accounts=accounts,
        external_name=spec.external_name if is_alias and not spec.is_headless else "",
        distribution=_traffic_distribution(ctx, obj),
        external_addresses=_external_addresses(spec) if _leads_into_networks(ctx, obj) else (),
        node_local=spec.internal_traffic_policy == "Local",
    )
    return Compiled((found,), tuple(_dangling_alias(ctx, found)))


def _leads_into_networks(ctx: Context, obj: ConfigObject[ServiceSpec]) -> bool:
    """Tell whether a service may be a gateway of a network: it says so, or the settings may name it."""
    return _NETWORK in obj.meta.labels or mesh_config(ctx).mesh_networks is not None


def _external_addresses(spec: ServiceSpec) -> tuple[str, ...]:
    ingress = (entry.ip for entry in spec.status.load_balancer.ingress if entry.ip)
    return tuple(dict.fromkeys((*ingress, *spec.external_ips)))


def _dangling_alias(ctx: Context, found: Service) -> Iterator[Diagnostic]:
    """Yield an info where an ExternalName service stands for a host that the mesh does not know."""
    if found.resolution is Resolution.ALIAS and not ctx.fetch(Cell(Table.SERVICES, found.external_name)):
        message = (
            f"{found.external_name!r} is no service of the mesh, so proxies treat requests to {found.host} as requests to an unknown host"
        )
        hint = "declare the external host in a ServiceEntry"
        yield codes.DANGLING_ALIAS.info(found.source, "spec.externalName", message, hint=hint)


def _traffic_distribution(ctx: Context, obj: ConfigObject[ServiceSpec]) -> TrafficDistribution:
    """Return what the service prefers: by its field, else by its annotation, else by that of its namespace."""
    declared = _DISTRIBUTIONS.get(obj.spec.traffic_distribution.lower())
    if declared is None:
        declared = _DISTRIBUTIONS.get(obj.meta.annotations.get(_DISTRIBUTION, "").lower())
    if declared is None:
        namespaces = ctx.fetch(object_cell(Kind.NAMESPACE, "", obj.key.namespace))
        annotated = (found.meta.annotations.get(_DISTRIBUTION, "").lower() for found in namespaces)
        declared = next((_DISTRIBUTIONS[text] for text in annotated if text in _DISTRIBUTIONS), None)
    return declared or TrafficDistribution.ANY


def _from_service_entry(ctx: Context, obj: ConfigObject[ServiceEntrySpec]) -> Compiled[tuple[Service, ...]]:
    spec = obj.spec
    resolution = _RESOLUTIONS[spec.resolution]
    ports = tuple(ServicePort(port.number, port.name, parse_protocol(port.protocol), port.target_port) for port in spec.ports)
    addresses = tuple(dict.fromkeys(address for address in map(_address_or_range, spec.addresses) if address))
    return Compiled(
        tuple(
            Service(
                host=host,
                name=host,
                namespace=obj.key.namespace,
                registry=ServiceRegistry.EXTERNAL,
                resolution=resolution,
                ports=ports,
                source=obj.key,
                addresses=addresses,
                mesh_external=spec.location is Location.MESH_EXTERNAL,
                export_to=spec.export_to,
                created=oldest_first(obj)[0],
                labels=freeze(obj.meta.labels),
                selector=freeze(spec.workload_selector.labels) if spec.workload_selector else (),
                service_accounts=spec.subject_alt_names,
                automatic_addresses=ctx.derive(automatic_addresses, obj.key, host) if not addresses else (),
                race_first_connect=obj.meta.annotations.get("istio.io/connect-strategy") == "RACE_FIRST_TCP_CONNECT",
            )
            for host in dict.fromkeys(spec.hosts)
        ),
        tuple(_automatic_addresses(obj)),
    )


def _automatic_addresses(obj: ConfigObject[ServiceEntrySpec]) -> Iterator[Diagnostic]:
    """Yield an info where a ServiceEntry asks for automatic addresses by its label and can have none."""
    spec = obj.spec
    if obj.meta.labels.get(WANTED_LABEL) == "true" and not any(is_eligible(obj, host) for host in spec.hosts):
        if spec.addresses:
            reason, hint = "it has addresses of its own", "remove spec.addresses, or the label"
        elif spec.resolution is DeclaredResolution.NONE:
            reason, hint = "connections to hosts of resolution NONE go where the client sends them", "set another resolution"
        else:
            reason, hint = "a wildcard host has no address", "name exact hosts, or set resolution DYNAMIC_DNS"
        yield codes.AUTOMATIC_ADDRESS.info(obj.key, f"metadata.labels[{WANTED_LABEL}]", f"has no effect: {reason}", hint=hint)


def _target_port(value: int | str | None) -> int | str:
    """Return a container port name or a number, also where the number was written as text."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() else value
    return value or 0


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry for part in text.split(",") if (entry := part.strip())))


def _address_or_range(text: str) -> str:
    """Return the address, a single-address range as its address, a wider range as it is, and nothing for anything else."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    return str(network.network_address) if network.num_addresses == 1 else str(network)
