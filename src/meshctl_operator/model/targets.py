"""Service targets: the services that a workload serves, and on which of its ports (Istio ``ServiceTarget``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.labels import selects
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.endpoints import endpoints
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.services import Resolution, Service, ServicePort, ServiceRegistry, services_of
from meshctl_operator.model.views import InboundView
from meshctl_operator.model.workloads import Workload, workload_named
from meshctl_operator.registry.cells import Cell, Table


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """A port of a service with the port of the workload behind it."""

    service: Service
    port: ServicePort
    target_port: int


def service_targets(ctx: Context, view: InboundView) -> tuple[ServiceTarget, ...]:
    """Return what the workload serves, by target port; of several services behind one target port the oldest one counts."""
    first: dict[int, ServiceTarget] = {}
    for target in ctx.derive(all_service_targets, view):
        first.setdefault(target.target_port, target)
    return tuple(first[port] for port in sorted(first))


def all_service_targets(ctx: Context, view: InboundView) -> tuple[ServiceTarget, ...]:
    """Return every service and port that the workload serves, oldest service first.

    Services select by labels. Where none does, a Service without selector counts whose endpoints name an address of the workload.
    """
    of_namespace = sorted(
        (found for key in ctx.fetch(Cell(Table.SERVICES_OF_NAMESPACE, view.namespace)) for found in ctx.derive(services_of, key)),
        key=lambda found: (found.created, found.host),
    )
    labels = dict(view.labels)
    workload = ctx.derive(workload_named, view.namespace, view.workload)
    selecting = [found for found in of_namespace if found.selector and selects(dict(found.selector), labels)]
    if not selecting:
        return tuple(_by_address(ctx, of_namespace, view.ips))
    return tuple(target for found in selecting for target in _targets(found, workload))


def _targets(service: Service, workload: Workload | None) -> Iterator[ServiceTarget]:
    for port in service.ports:
        if port.protocol is not Protocol.UDP and (number := target_port(port, workload)):
            yield ServiceTarget(service, port, number)


def target_port(port: ServicePort, workload: Workload | None) -> int:
    """Return the workload's port behind a service port, or 0 where it is a container port's name that the workload does not declare."""
    named = dict(workload.ports) if workload else {}
    if isinstance(port.target_port, str):
        if workload is not None and workload.key.kind == Kind.WORKLOAD_ENTRY:
            return named.get(port.target_port, 0)
        return dict(workload.container_ports).get(port.target_port, 0) if workload else 0
    declared = port.target_port or port.number
    return named.get(port.name, declared)


def _by_address(ctx: Context, services: Iterable[Service], ips: tuple[str, ...]) -> Iterator[ServiceTarget]:
    for service in services:
        if service.selector or service.registry is not ServiceRegistry.KUBERNETES or service.resolution is Resolution.ALIAS:
            continue  # nothing is ever sent to the endpoints of an alias
        for endpoint in ctx.derive(endpoints, service.host, service.namespace):
            port = next((port for port in service.ports if port.name == endpoint.port_name), None)
            if port is not None and endpoint.address in ips:
                yield ServiceTarget(service, port, endpoint.port)
