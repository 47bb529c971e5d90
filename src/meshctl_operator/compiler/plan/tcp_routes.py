"""TCP proxies from ``tcp`` and ``tls`` rules of VirtualServices, and from services that have none."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from meshctl_operator.apis.networking.virtual_service import L4MatchAttributes, RouteDestination, TlsMatchAttributes
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import is_wildcard
from meshctl_operator.base.labels import Labels, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import codes, listener_codes
from meshctl_operator.compiler.inputs.listeners import AccessLogInput, TcpProxyInput
from meshctl_operator.compiler.names import outbound_cluster
from meshctl_operator.compiler.plan.dynamic_dns import dns_cache
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import gateway_codes
from meshctl_operator.model.policies import consistent_hash, destination_rule, subset_names, tcp_settings, tunnel
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import IpFamilies
from meshctl_operator.model.services import Resolution, Service, alias_target
from meshctl_operator.registry.cells import resolve_gateway

_EVERY_ADDRESS = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, slots=True)
class L4Client:
    """Who connects: a sidecar (``gateway`` is ``mesh``) or a gateway, the port that it is called on, and how it finds services."""

    namespace: str
    labels: Labels
    gateway: str
    port: int
    find: Callable[[str], Service | None]
    families: IpFamilies = IpFamilies.V4


@dataclass(frozen=True, slots=True)
class L4Rule:
    """The destinations of one rule, with where they were written."""

    subject: ObjectKey
    path: str
    routes: tuple[RouteDestination, ...]


def passes(match: L4MatchAttributes | TlsMatchAttributes, client: L4Client, vs_namespace: str) -> bool:
    """Tell whether everything about a match that is known before there is a connection holds; all of it must."""
    if match.port and match.port != client.port:
        return False
    if match.gateways and client.gateway not in {resolve_gateway(name, vs_namespace) for name in match.gateways}:
        return False
    if client.gateway != "mesh":
        return True  # a gateway knows nothing of who sends
    return selects(match.source_labels, dict(client.labels)) and match.source_namespace in ("", client.namespace)


def routed_proxy(
    ctx: Context, client: L4Client, rule: L4Rule, *, protocol: Protocol, access_log: AccessLogInput | None, found: list[Diagnostic]
) -> tuple[TcpProxyInput, tuple[ObjectKey, ...]] | None:
    """Return the proxy of one rule and the DestinationRules that shaped it; None, and a finding, where no destination is left.

    One destination is a plain cluster whatever its weight; of several those with weight 0 are left out.
    """
    weighted = len(rule.routes) > 1
    kept = [(index, route) for index, route in enumerate(rule.routes) if not weighted or route.weight > 0]
    if not kept:
        message = "has no destination with a weight above 0, so the rule is left out"
        found.append(listener_codes.NO_DESTINATION_LEFT.error(rule.subject, f"{rule.path}.route", message))
        return None
    clusters: dict[str, int] = {}
    for index, route in kept:
        name = _cluster(ctx, client, route, _Place(rule.subject, f"{rule.path}.route[{index}].destination"), found)
        clusters[name] = clusters.get(name, 0) + route.weight
    first = kept[0][1].destination
    service = client.find(first.host)
    stat_prefix = f"{rule.subject.name}.{rule.subject.namespace}" if weighted else next(iter(clusters))
    targets = tuple(clusters.items()) if weighted else ((next(iter(clusters)), 1),)
    proxy = TcpProxyInput(stat_prefix, targets, mongo=protocol is Protocol.MONGO, access_log=access_log)
    if service is None:
        return proxy, ()
    port = first.port.number if first.port else 0
    return _with_policy(ctx, client, proxy, service, first.subset, port, tunnel_of="" if weighted else first.subset)


def service_proxy(
    ctx: Context, client: L4Client, service: Service, port: int, *, protocol: Protocol, access_log: AccessLogInput | None
) -> tuple[TcpProxyInput, tuple[ObjectKey, ...]]:
    """Return the proxy to a service that no VirtualService speaks about, and the DestinationRules that shaped it."""
    name = outbound_cluster(port, "", service.host)
    proxy = TcpProxyInput(name, ((name, 1),), mongo=protocol is Protocol.MONGO, access_log=access_log)
    return _with_policy(ctx, client, proxy, service, "", port)


def cluster_proxy(
    ctx: Context, client: L4Client, cluster: str, service: Service, subset: str, port: int, *, access_log: AccessLogInput | None
) -> tuple[TcpProxyInput, tuple[ObjectKey, ...]]:
    """Return the proxy to a cluster that stands for a port and subset of a service, and the DestinationRules that shaped it."""
    return _with_policy(ctx, client, TcpProxyInput(cluster, ((cluster, 1),), access_log=access_log), service, subset, port)


def plain_proxy(cluster: str, access_log: AccessLogInput | None) -> TcpProxyInput:
    """Return the proxy to a cluster that stands for itself: pass-through, black hole, inbound."""
    return TcpProxyInput(cluster, ((cluster, 1),), access_log=access_log)


def server_names(sni_hosts: Iterable[str], subject: ObjectKey, path: str, found: list[Diagnostic]) -> tuple[str, ...] | None:
    """Return what Envoy can match of a list of server names, sorted; empty where ``*`` is among them, None where nothing is left.

    Partial wildcards (``*-eu.example.com``) are reported and left out: Envoy would reject the whole listener.
    """
    usable: set[str] = set()
    for index, host in enumerate(sni_hosts):
        if host == "*":
            return ()
        if is_wildcard(host) and not host.startswith("*."):
            message = f'is "{host}", which Envoy cannot match; it is left out'
            found.append(
                gateway_codes.SNI_UNUSABLE.warning(subject, f"{path}[{index}]", message, hint=f'did you mean "*.{host[1:].lstrip("-.")}"?')
            )
        elif host:
            usable.add(host.lower())
    return tuple(sorted(usable)) or None


def address_ranges(subnets: Iterable[str], subject: ObjectKey, path: str, found: list[Diagnostic]) -> tuple[str, ...] | None:
    """Return destination subnets as CIDRs, sorted; empty where they cover every address, None where nothing usable is left."""
    usable: set[str] = set()
    for index, subnet in enumerate(subnets):
        try:
            usable.add(str(ipaddress.ip_network(subnet, strict=False)))
        except ValueError:
            message = f'is "{subnet}", which is no address and no range; it is left out'
            found.append(listener_codes.SUBNET_UNUSABLE.warning(subject, f"{path}[{index}]", message))
    if usable & set(_EVERY_ADDRESS):
        return ()
    return tuple(sorted(usable)) or None


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in an object, for findings."""

    subject: ObjectKey
    path: str


def _cluster(ctx: Context, client: L4Client, route: RouteDestination, place: _Place, found: list[Diagnostic]) -> str:
    """Return the cluster of a destination. Its port is the one named, else the only one of the service, else the one called on."""
    destination = route.destination
    service = client.find(destination.host)
    number = destination.port.number if destination.port else 0
    if service is None:
        message = f'is "{destination.host}", which matches no service visible from namespace {client.namespace}'
        found.append(codes.UNKNOWN_DESTINATION.warning(place.subject, f"{place.path}.host", message))
        named = ctx.derive(alias_target, destination.host) or destination.host
        return outbound_cluster(number or client.port, destination.subset, named)
    if not number:
        number = service.ports[0].number if len(service.ports) == 1 else client.port
        if len(service.ports) > 1 and service.port(number) is None:
            message = f'is not set, but "{destination.host}" has ports {_numbers(service)}'
            found.append(codes.PORT_NEEDED.warning(place.subject, f"{place.path}.port", message))
    elif service.port(number) is None:
        message = f'is {number}, but "{destination.host}" has {_numbers(service)}'
        found.append(codes.UNKNOWN_PORT.warning(place.subject, f"{place.path}.port.number", message))
    if destination.subset:
        names = subset_names(ctx.derive(destination_rule, client.namespace, client.labels, service))
        if destination.subset not in names:
            close = difflib.get_close_matches(destination.subset, names, n=1)
            message = f'is "{destination.subset}", which no DestinationRule for "{destination.host}" defines'
            hint = f'did you mean "{close[0]}"?' if close else None
            found.append(codes.UNKNOWN_SUBSET.warning(place.subject, f"{place.path}.subset", message, hint=hint))
    return outbound_cluster(number, destination.subset, service.host)


def _numbers(service: Service) -> str:
    return ", ".join(str(port.number) for port in service.ports) or "none"


def _with_policy(
    ctx: Context, client: L4Client, proxy: TcpProxyInput, service: Service, subset: str, port: int, *, tunnel_of: str = ""
) -> tuple[TcpProxyInput, tuple[ObjectKey, ...]]:
    """Return the proxy with what DestinationRules say. One cluster may have the tunnel of its subset, several share that of the service."""
    idle, longest = tcp_settings(ctx, client.namespace, client.labels, service, port)
    hashing = consistent_hash(ctx, client.namespace, client.labels, service, subset, port)
    rule = ctx.derive(destination_rule, client.namespace, client.labels, service)
    through = tunnel(ctx, client.namespace, client.labels, service, tunnel_of)
    dynamic = service.resolution is Resolution.DYNAMIC_DNS
    complete = replace(
        proxy,
        tunnel=f"{_bracketed(through.target_host)}:{through.target_port}" if through is not None else "",
        tunnel_by_post=through is not None and through.protocol == "POST",
        dns_cache=dns_cache(service.host, client.families) if dynamic else None,
        dns_port=(port or client.port) if dynamic else 0,
        idle_timeout=idle,
        max_connection_duration=longest,
        hash_source_ip=hashing is not None and hashing.source_ip,
    )
    return complete, rule.provenance if rule else ()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
