"""Findings about one VirtualService against the rest of the mesh. They depend on no proxy, so they are the same wherever it is compiled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.apis.structure import did_you_mean
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import matches
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.plan.http_rules import plan_http_rules
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.compiler.plan.shadowing import shadowed_rules
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import normalized_hosts
from meshctl_operator.model.mesh import cluster_domain
from meshctl_operator.model.policies import destination_rule, subset_names
from meshctl_operator.model.services import Service, service, visible_services
from meshctl_operator.model.virtual_services import (
    EVERYWHERE,
    MESH,
    Place,
    ResolvedVirtualService,
    VirtualServiceHead,
    head,
    resolved,
)
from meshctl_operator.registry.cells import Cell, Table, object_cell

_NOWHERE: Final = "~"


def virtual_service_findings(ctx: Context, key: ObjectKey) -> tuple[Diagnostic, ...]:
    """Return all findings about a VirtualService: what cannot be served, and references that lead nowhere (tracked)."""
    item = ctx.derive(resolved, key)
    if item is None:
        return ()
    found = list(ctx.derive(plan_http_rules, key).diagnostics)
    for destination, place in _destinations(item):
        finding = _destination_finding(ctx, destination, place)
        if finding is not None:
            found.append(finding)
    found += _gateway_findings(ctx, item)
    found += _host_findings(ctx, item)
    found += shadowed_rules(ctx, item)
    return tuple(found)


def _destinations(item: ResolvedVirtualService) -> Iterator[tuple[Destination, Place]]:
    for rule in item.rules:
        for index, weighted in enumerate(rule.rule.route):
            yield weighted.destination, rule.place.at(f".route[{index}].destination")
        if rule.rule.mirror is not None:
            yield rule.rule.mirror, rule.place_of("mirror", "mirror")
        for index, mirror in enumerate(rule.rule.mirrors):
            if mirror.destination is not None:
                yield mirror.destination, rule.place_of("mirrors", f"mirrors[{index}].destination")
    routes = [(f"tcp[{index}]", tcp.route) for index, tcp in enumerate(item.spec.tcp)]
    routes += [(f"tls[{index}]", tls.route) for index, tls in enumerate(item.spec.tls)]
    for shown, destinations in routes:
        for index, routed in enumerate(destinations):
            yield routed.destination, Place(item.key, f"spec.{shown}.route[{index}].destination")


def _destination_finding(ctx: Context, destination: Destination, place: Place) -> Diagnostic | None:
    """Return what is wrong with a destination, seen from the namespace of the object that names it."""
    subject, namespace = place.subject, place.subject.namespace
    found = ctx.derive(service, namespace, destination.host) if destination.host else None
    shown = _short(ctx, destination.host, namespace)
    if found is None:
        message = f'"{shown}" matches no service visible from namespace {namespace}; requests are answered 503'
        return codes.UNKNOWN_DESTINATION.warning(
            subject, f"{place.path}.host", message, hint=ctx.derive(_suggested_host, namespace, destination.host)
        )
    if destination.subset:
        rule = ctx.derive(destination_rule, namespace, (), found)
        known = subset_names(rule)
        if destination.subset not in known:
            message = f'"{destination.subset}" is no subset that a DestinationRule defines for "{shown}"; requests are answered 503'
            hint = did_you_mean(destination.subset, known) or (f"its subsets are {', '.join(known)}" if known else "no subset is defined")
            return codes.UNKNOWN_SUBSET.warning(subject, f"{place.path}.subset", message, hint=hint)
    return _port_finding(destination, found, place, shown)


def _port_finding(destination: Destination, found: Service, place: Place, shown: str) -> Diagnostic | None:
    ports = ", ".join(str(port.number) for port in found.ports)
    if destination.port is not None and destination.port.number:
        if found.port(destination.port.number) is not None:
            return None
        message = f'{destination.port.number} is no port of "{shown}"; requests are answered 503'
        return codes.UNKNOWN_PORT.warning(place.subject, f"{place.path}.port.number", message, hint=f"its ports are {ports}")
    if len(found.ports) > 1:
        message = f'names no port, but "{shown}" has several: the port that a request came in on is used'
        return codes.PORT_NEEDED.warning(place.subject, place.path, message, hint=f"add port.number, one of {ports}")
    return None


def _short(ctx: Context, host: str, namespace: str) -> str:
    """Return the host as users of the namespace write it."""
    return host.removesuffix(f".{namespace}.svc.{cluster_domain(ctx)}")


def _suggested_host(ctx: Context, namespace: str, host: str) -> str | None:
    visible = [found.host for found in ctx.derive(visible_services, namespace)]
    by_shown = {_short(ctx, found, namespace): None for found in visible}
    return did_you_mean(_short(ctx, host, namespace), tuple(by_shown))


def _gateway_findings(ctx: Context, item: ResolvedVirtualService) -> Iterator[Diagnostic]:
    """Yield gateways that do not exist, and hosts that none of the others serves."""
    served: list[str] = []
    complete = True
    for index, gateway in enumerate(item.gateways):
        if gateway == MESH:
            complete = False
            continue
        namespace, _, name = gateway.partition("/")
        found: tuple[ConfigObject[GatewaySpec], ...] = ctx.fetch(object_cell(Kind.GATEWAY, namespace, name))
        if not found:
            complete = False
            message = f'"{gateway}" is no Gateway, so the VirtualService has no effect there'
            yield codes.UNKNOWN_GATEWAY.warning(item.key, f"spec.gateways[{index}]", message)
            continue
        for server in found[0].spec.servers:
            for host in normalized_hosts(server.hosts, namespace):
                owner, _, bare = host.rpartition("/")
                if owner in {"", item.namespace}:
                    served.append(bare)
    if not complete:
        return
    for index, host in enumerate(item.hosts):
        if not any(matches(host, other) for other in served):
            message = f'"{host}" is served by no server of {", ".join(item.gateways)} for namespace {item.namespace}'
            yield codes.HOST_NOT_IN_GATEWAY.warning(item.key, f"spec.hosts[{index}]", message)


def _host_findings(ctx: Context, item: ResolvedVirtualService) -> Iterator[Diagnostic]:
    """Yield hosts that cannot be served, and hosts of the mesh that go to another VirtualService for a namespace that sees both.

    Only HTTP rules exclude each other: TCP and TLS rules of several VirtualServices are tried one after the other.
    """
    for index, host in enumerate(item.hosts):
        path = f"spec.hosts[{index}]"
        if not host or (problem := plain_text_problem(host)):
            reason = problem if host else "is empty"
            yield codes.UNUSABLE_HOST.error(item.key, path, f"{host[:80]!r} {reason}; the host is left out")
            continue
        if MESH not in item.gateways or not item.spec.http:
            continue
        age = "older "
        for key, audience in ctx.derive(mesh_owners, host.lower()):
            if key == item.key:
                age = ""
            elif any(_beats(key, item.key, namespace, older=bool(age)) for namespace in audience & _audience(item)):
                message = (
                    f'"{_short(ctx, host, item.namespace)}" belongs to the {age}VirtualService {key.namespace}/{key.name}, whose rules hold'
                )
                yield codes.DUPLICATE_HOST.warning(item.key, path, message, hint="put the rules into one VirtualService")
                break


def _beats(one: ObjectKey, other: ObjectKey, namespace: str, *, older: bool) -> bool:
    """Tell whether clients in a namespace that sees both go by the one: their own namespace's first, then the older."""
    is_own, is_others = one.namespace == namespace, other.namespace == namespace
    return older if is_own == is_others else is_own


def mesh_owners(ctx: Context, host: str) -> tuple[tuple[ObjectKey, frozenset[str]], ...]:
    """Return the VirtualServices of the mesh with HTTP rules for a (lower-cased) host, the oldest first, with who sees them (tracked)."""
    found = ((key, ctx.derive(head, key)) for key in ctx.fetch(Cell(Table.MESH_HOSTS, host)))
    return tuple((key, _audience(item)) for key, item in found if item is not None and item.has_http)


def _audience(item: ResolvedVirtualService | VirtualServiceHead) -> frozenset[str]:
    """Return the namespaces that see it; ``*`` alone where all do. A private one is meant to beat a public one, so the two do not meet."""
    return frozenset({EVERYWHERE}) if EVERYWHERE in item.export_to else frozenset(item.export_to) - {_NOWHERE}
