"""Which Deployments of a directory run on this machine, and as what: a gateway, an application with its sidecar, or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from meshctl_operator.apis.core.deployment import DeploymentSpec
from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.labels import selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.dev import codes
from meshctl_operator.dev.config import WorkloadEntry

TEMPLATES_KEY: Final = "inject.istio.io/templates"
_GATEWAY_LABELS: Final = frozenset({"ingressgateway", "egressgateway"})
INGRESS_LABEL: Final = ("istio", "ingressgateway")


class Role(StrEnum):
    """What a Deployment runs as."""

    GATEWAY = "gateway"
    APPLICATION = "application"


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """A port that Gateways declare for a gateway. ``target`` is where it listens once a Service has translated the number."""

    number: int
    target: int
    protocol: str = "HTTP"

    @property
    def scheme(self) -> str:
        """What a URL of the port starts with."""
        match self.protocol.upper():
            case "HTTPS" | "TLS":
                return "https"
            case "HTTP" | "HTTP2" | "GRPC" | "GRPC-WEB":
                return "http"
            case _:
                return "tcp"


@dataclass(frozen=True, slots=True)
class LocalWorkload:
    """A Deployment that runs here.

    ``targets`` are the ports on which its Services, or else its containers, expect it to listen. ``servers`` are those of a gateway.
    """

    deployment: ConfigObject[DeploymentSpec]
    role: Role
    entry: WorkloadEntry | None = None
    targets: tuple[int, ...] = ()
    servers: tuple[Server, ...] = ()

    @property
    def key(self) -> ObjectKey:
        """The key of the Deployment."""
        return self.deployment.key

    @property
    def name(self) -> str:
        """The name of the Deployment."""
        return self.deployment.key.name

    @property
    def namespace(self) -> str:
        """The namespace of the Deployment."""
        return self.deployment.key.namespace

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        return dict(self.deployment.spec.template.metadata.labels)

    @property
    def is_ingress(self) -> bool:
        """Whether this is the gateway through which people come in."""
        key, value = INGRESS_LABEL
        return self.role is Role.GATEWAY and self.labels.get(key) == value


@dataclass(frozen=True, slots=True)
class Placement:
    """What runs here (ingress gateways, other gateways, applications, each by namespace and name), and what does not, with the reason."""

    workloads: tuple[LocalWorkload, ...]
    findings: tuple[Diagnostic, ...]


def place(objects: Iterable[ConfigObject[Any]], entries: Sequence[WorkloadEntry]) -> Placement:
    """Decide what runs here.

    A gateway is a Deployment whose pods carry ``istio: ingressgateway`` or ``egressgateway``, ask for the gateway template, or are
    selected by a Gateway. Any other Deployment runs as the process of its entry; without one it does not run.
    """
    given = sorted(objects, key=lambda obj: obj.key)
    services = [obj for obj in given if obj.kind is Kind.SERVICE]
    gateways = [obj for obj in given if obj.kind is Kind.GATEWAY]
    deployments = [obj for obj in given if obj.kind is Kind.DEPLOYMENT]
    placed: list[LocalWorkload] = []
    findings: list[Diagnostic] = []
    used: set[int] = set()
    for deployment in deployments:
        entry = next((entry for entry in entries if _runs(entry, deployment.key)), None)
        if entry is not None:
            used.add(id(entry))
        targets = target_ports(deployment, services)
        if _is_gateway(deployment, gateways):
            placed.append(LocalWorkload(deployment, Role.GATEWAY, None, targets, servers_of(deployment, given)))
        elif entry is not None:
            placed.append(LocalWorkload(deployment, Role.APPLICATION, entry, targets))
        else:
            message = "has no entry under workloads, so nothing answers for it"
            hint = f"add `- deployment: {deployment.key.name}` with a command to meshctl-dev.yaml"
            findings.append(codes.NOT_RUN.warning(deployment.key, "", message, hint=hint))
    findings += [_homeless(entry, deployments) for entry in entries if id(entry) not in used]
    return Placement(tuple(sorted(placed, key=_entrances_first)), tuple(findings))


def _entrances_first(workload: LocalWorkload) -> tuple[bool, bool, ObjectKey]:
    """Sort key: gateways before applications, and of these the one that people come in by first; then by namespace and name."""
    return (workload.role is not Role.GATEWAY, not workload.is_ingress, workload.key)


def target_ports(deployment: ConfigObject[DeploymentSpec], services: Iterable[ConfigObject[ServiceSpec]]) -> tuple[int, ...]:
    """Return the ports to which Services send the traffic of the pods, in the order of the Services; without any those of the containers."""
    found: dict[int, None] = {}
    for service in _services_of(deployment, services):
        for port in service.spec.ports:
            number = target_port(deployment, port.target_port or port.port)
            if number:
                found[number] = None
    if not found:
        found = {port.container_port: None for container in deployment.spec.template.spec.containers for port in container.ports}
    return tuple(found)


def target_port(deployment: ConfigObject[DeploymentSpec], target: int | str) -> int:
    """Return the number of a target port that may be the name of a container port; 0 when no container has such a port."""
    if isinstance(target, int):
        return target
    ports = (port for container in deployment.spec.template.spec.containers for port in container.ports)
    return next((port.container_port for port in ports if port.name == target), 0)


def paths_to_open(objects: Iterable[ConfigObject[Any]]) -> tuple[str, ...]:
    """Return the path that people should open first: the first exact one, other than ``/``, that a VirtualService routes at a gateway."""
    for obj in objects:
        if obj.kind is not Kind.VIRTUAL_SERVICE or set(obj.spec.gateways) <= {"mesh"}:
            continue
        for rule in obj.spec.http:
            for match in rule.match:
                exact = match.uri.exact if match.uri is not None else None
                if exact and exact != "/":
                    return (exact,)
    return ()


def _is_gateway(deployment: ConfigObject[DeploymentSpec], gateways: Iterable[ConfigObject[GatewaySpec]]) -> bool:
    pods = deployment.spec.template.metadata
    if pods.labels.get("istio") in _GATEWAY_LABELS:
        return True
    if "gateway" in (pods.annotations.get(TEMPLATES_KEY), pods.labels.get(TEMPLATES_KEY)):
        return True
    return any(_selected_by(gateway, deployment) for gateway in gateways)


def _selected_by(gateway: ConfigObject[GatewaySpec], deployment: ConfigObject[DeploymentSpec]) -> bool:
    """Tell whether the Gateway means this workload in particular; one without a selector means all and says nothing about any."""
    return bool(gateway.spec.selector) and selects(gateway.spec.selector, deployment.spec.template.metadata.labels)


def servers_of(deployment: ConfigObject[DeploymentSpec], objects: Iterable[ConfigObject[Any]]) -> tuple[Server, ...]:
    """Return the ports that the Gateways among the objects declare for a gateway, in order; a Gateway without a selector means them all."""
    given = tuple(objects)
    translation: dict[int, int] = {}
    for service in _services_of(deployment, (obj for obj in given if obj.kind is Kind.SERVICE)):
        for port in service.spec.ports:
            translation.setdefault(port.port, target_port(deployment, port.target_port or port.port) or port.port)
    declared: dict[int, str] = {}
    for gateway in sorted((obj for obj in given if obj.kind is Kind.GATEWAY), key=lambda obj: obj.key):
        if not gateway.spec.selector or _selected_by(gateway, deployment):
            for server in gateway.spec.servers:
                if server.port:
                    declared.setdefault(server.port.number, server.port.protocol)
    return tuple(Server(number, translation.get(number, number), protocol) for number, protocol in sorted(declared.items()))


def _services_of(
    deployment: ConfigObject[DeploymentSpec], services: Iterable[ConfigObject[ServiceSpec]]
) -> list[ConfigObject[ServiceSpec]]:
    """Return the Services that select the pods of the Deployment."""
    labels = deployment.spec.template.metadata.labels
    return [
        service
        for service in services
        if service.key.namespace == deployment.key.namespace and service.spec.selector and selects(service.spec.selector, labels)
    ]


def _runs(entry: WorkloadEntry, key: ObjectKey) -> bool:
    return entry.deployment == key.name and entry.namespace in ("", key.namespace)


def _homeless(entry: WorkloadEntry, deployments: Sequence[ConfigObject[DeploymentSpec]]) -> Diagnostic:
    names = [deployment.key.name for deployment in deployments]
    near = difflib.get_close_matches(entry.deployment, names, n=1)
    key = ObjectKey(Kind.DEPLOYMENT, entry.namespace or "default", entry.deployment)
    hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names)}" if names else "the config has no Deployment"
    return codes.NOT_A_DEPLOYMENT.warning(
        key, "", "is named under workloads, but there is no such Deployment; its process is not started", hint=hint
    )
