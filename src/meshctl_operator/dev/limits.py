"""What of a mesh does not work on one machine: said at the start, so that nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.service_entry import ServiceEntrySpec
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.labels import selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.dev import codes
from meshctl_operator.dev.workloads import LocalWorkload, Role
from meshctl_operator.model.protocols import kubernetes_protocol, parse_protocol
from meshctl_operator.model.services import Protocol


def without_tcp(objects: Iterable[ConfigObject[Any]], workloads: Iterable[LocalWorkload]) -> tuple[Diagnostic, ...]:
    """Return a finding for each service port that is not HTTP: workloads reach others through an HTTP proxy port alone.

    Services of gateways are left out: people come in through those directly, with TLS as well.
    """
    gateways = [workload for workload in workloads if workload.role is Role.GATEWAY]
    found: list[Diagnostic] = []
    for obj in objects:
        match obj.kind:
            case Kind.SERVICE if not any(_is_of(obj, gateway) for gateway in gateways):
                found += _of_service(obj)
            case Kind.SERVICE_ENTRY:
                found += _of_service_entry(obj)
            case _:
                pass
    return tuple(found)


def restart_needed(changed: Iterable[ObjectKey], known: Iterable[ObjectKey]) -> tuple[Diagnostic, ...]:
    """Return a finding for each Deployment that appeared after the start."""
    old = set(known)
    message = "is new; workloads are started with the mesh, so nothing runs for it"
    hint = "end meshctl dev and start it again"
    return tuple(
        codes.RESTART_TO_RUN.warning(key, "", message, hint=hint) for key in changed if key.kind == Kind.DEPLOYMENT and key not in old
    )


def _is_of(service: ConfigObject[ServiceSpec], workload: LocalWorkload) -> bool:
    selector = service.spec.selector
    return bool(selector) and service.key.namespace == workload.namespace and selects(selector, workload.labels)


def _of_service(service: ConfigObject[ServiceSpec]) -> Iterator[Diagnostic]:
    for number, port in enumerate(service.spec.ports):
        protocol = kubernetes_protocol(port.port, port.name, port.app_protocol, port.protocol)
        if not _is_carried(protocol):
            yield _finding(service.key, f"spec.ports[{number}]", port.port, protocol)


def _of_service_entry(entry: ConfigObject[ServiceEntrySpec]) -> Iterator[Diagnostic]:
    for number, port in enumerate(entry.spec.ports):
        protocol = parse_protocol(port.protocol)
        if not _is_carried(protocol):
            yield _finding(entry.key, f"spec.ports[{number}]", port.number, protocol)


def _is_carried(protocol: Protocol) -> bool:
    """Tell whether the HTTP proxy port may carry it. What is sniffed may well be HTTP."""
    return protocol.is_http or protocol is Protocol.UNSUPPORTED


def _finding(key: ObjectKey, path: str, number: int, protocol: Protocol) -> Diagnostic:
    message = f"port {number} is {protocol.value}, which no workload of the local mesh can reach: it has no CONNECT and no TCP"
    return codes.NOT_HTTP.info(key, path, message, hint="HTTP ports work; to try this one run the mesh on a cluster")
