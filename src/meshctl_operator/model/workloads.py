"""Workloads: what runs and serves (Pods, WorkloadEntries, and Deployments where no pods exist yet), as one model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.apis.core.pod import PodSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.base.labels import Labels, freeze, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.locality_policies import NETWORK_LABEL
from meshctl_operator.model.networks import pod_networks
from meshctl_operator.model.proxies import Locality
from meshctl_operator.registry.cells import Cell, Table, object_cell, workload_labels

_KINDS: Final = (Kind.POD, Kind.WORKLOAD_ENTRY, Kind.DEPLOYMENT)
_LOCALITY_LABELS: Final = ("topology.istio.io/locality", "istio-locality")
_REGION_LABELS: Final = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_ZONE_LABELS: Final = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_SUB_ZONE_LABEL: Final = "topology.istio.io/subzone"
_HEALTH_CHECKS: Final = "proxy.istio.io/health-checks-enabled"
_NOWHERE: Final = Locality()


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that serves traffic. ``ips`` may hold one host name or ``unix://`` path in the case of a WorkloadEntry.

    ``name`` is what people call it (of a pod: its Deployment's name). ``container_ports`` maps names of container ports to numbers,
    ``ports`` maps names of service ports to numbers (WorkloadEntry). ``ready`` is whether it may get traffic; ``pod`` whether
    Kubernetes runs it.
    """

    key: ObjectKey
    name: str
    namespace: str
    labels: Labels = ()
    ips: tuple[str, ...] = ()
    service_account: str = ""
    locality: Locality = _NOWHERE
    node_name: str = ""
    container_ports: tuple[tuple[str, int], ...] = ()
    network: str = ""
    weight: int = 1
    ports: tuple[tuple[str, int], ...] = ()
    ready: bool = True
    pod: bool = False

    @property
    def has_ip(self) -> bool:
        """Whether its address is an IP, rather than a host name or a socket path."""
        return bool(self.ips) and is_ip(self.ips[0])


def workload(ctx: Context, key: ObjectKey) -> Workload | None:
    """Return the workload that one object stands for (a Deployment: the pods it would have), or None where there is no such object."""
    for obj in ctx.fetch(Cell(Table.OBJECT, key)):
        match obj.kind:
            case Kind.POD:
                return _pod(ctx, obj)
            case Kind.WORKLOAD_ENTRY:
                return _entry(obj)
            case Kind.DEPLOYMENT:
                return _template(obj)
            case _:
                return None
    return None


def workloads_of(ctx: Context, namespace: str) -> tuple[Workload, ...]:
    """Return the workloads of a namespace: Pods, then WorkloadEntries, then Deployments, each by name."""
    return _read(ctx, ctx.fetch(Cell(Table.WORKLOADS, (namespace, "", ""))))


def workload_named(ctx: Context, namespace: str, name: str) -> Workload | None:
    """Return the workload by the name of its object: a Pod, else a WorkloadEntry, else a Deployment."""
    for kind in _KINDS:
        found = ctx.derive(workload, ObjectKey(kind, namespace, name))
        if found is not None:
            return found
    return None


def workloads_selected(ctx: Context, namespace: str, selector: Labels) -> tuple[Workload, ...]:
    """Return the workloads of a namespace that carry all labels of the selector, ordered as ``workloads_of``. Empty selects all."""
    pair = selector[0] if selector else ("", "")
    found = _read(ctx, ctx.fetch(Cell(Table.WORKLOADS, (namespace, *pair))))
    wanted = dict(selector)
    return tuple(each for each in found if selects(wanted, dict(each.labels)))


def pod_at(ctx: Context, namespace: str, address: str) -> Workload | None:
    """Return the pod of the namespace that has the address, the oldest of several."""
    for obj in ctx.fetch(Cell(Table.PODS_BY_IP, (namespace, address))):
        return ctx.derive(workload, obj.key)
    return None


def _read(ctx: Context, objects: Iterable[ConfigObject[Any]]) -> tuple[Workload, ...]:
    keys = sorted((obj.key for obj in objects), key=lambda key: (_KINDS.index(Kind(key.kind)), key.name))
    return tuple(found for key in keys if (found := ctx.derive(workload, key)) is not None)


def _pod(ctx: Context, obj: ConfigObject[PodSpec]) -> Workload:
    spec, labels = obj.spec, obj.meta.labels
    network = labels.get(NETWORK_LABEL, "") or (ctx.derive(pod_networks).of(spec.addresses[0]) if spec.addresses else "")
    return Workload(
        key=obj.key,
        name=_controller_name(obj.key.name, labels),
        namespace=obj.key.namespace,
        labels=freeze(labels),
        ips=spec.addresses,
        service_account=spec.service_account_name,
        locality=_labelled_locality(labels) or ctx.derive(node_locality, spec.node_name),
        node_name=spec.node_name,
        container_ports=_container_ports(spec),
        network=network,
        ready=spec.is_ready,
        pod=True,
    )


def _entry(obj: ConfigObject[Any]) -> Workload:
    spec, labels = obj.spec, workload_labels(obj)
    checked = obj.meta.annotations.get(_HEALTH_CHECKS, "").lower() == "true"
    return Workload(
        key=obj.key,
        name=obj.key.name,
        namespace=obj.key.namespace,
        labels=freeze(labels),
        ips=(spec.address,) if spec.address else (),
        service_account=spec.service_account,
        locality=(Locality.parse(spec.locality) if spec.locality else None) or _labelled_locality(labels) or _NOWHERE,
        network=spec.network,
        weight=spec.weight or 1,
        ports=tuple(sorted(spec.ports.items())),
        ready=not checked or _is_healthy(obj),
    )


def _is_healthy(obj: ConfigObject[Any]) -> bool:
    conditions = obj.status.conditions if obj.status else ()
    return any(condition.type == "Healthy" and condition.status == "True" for condition in conditions)


def _template(obj: ConfigObject[Any]) -> Workload:
    template = obj.spec.template
    labels = dict(template.metadata.labels)
    return Workload(
        key=obj.key,
        name=obj.key.name,
        namespace=obj.key.namespace,
        labels=freeze(labels),
        service_account=template.spec.service_account_name,
        locality=_labelled_locality(labels) or _NOWHERE,
        container_ports=_container_ports(template.spec),
        network=labels.get(NETWORK_LABEL, ""),
        pod=True,
    )


def node_locality(ctx: Context, node_name: str) -> Locality:
    """Return where a node stands by its well-known labels; unknown without them."""
    for obj in ctx.fetch(object_cell(Kind.NODE, "", node_name)):
        labels = obj.meta.labels
        region = next((labels[label] for label in _REGION_LABELS if label in labels), "")
        zone = next((labels[label] for label in _ZONE_LABELS if label in labels), "")
        return Locality(region, zone, labels.get(_SUB_ZONE_LABEL, ""))
    return _NOWHERE


def _labelled_locality(labels: dict[str, str]) -> Locality | None:
    """Return the locality that a label declares; ``.`` stands for ``/``, which label values may not hold."""
    for label in _LOCALITY_LABELS:
        if text := labels.get(label):
            return Locality.parse(text if "/" in text else text.replace(".", "/"))
    return None


def _container_ports(spec: PodSpec) -> tuple[tuple[str, int], ...]:
    """Return the named ports of the containers; of two with one name the first counts."""
    found: dict[str, int] = {}
    for container in spec.serving_containers:
        for port in container.ports:
            if port.name:
                found.setdefault(port.name, port.container_port)
    return tuple(sorted(found.items()))


def _controller_name(pod: str, labels: dict[str, str]) -> str:
    """Return the name of what runs the pod, from the labels that Kubernetes' controllers put on it; else the pod's own name."""
    if template_hash := labels.get("pod-template-hash"):
        deployment, separator, _ = pod.rpartition(f"-{template_hash}-")
        return deployment if separator else pod
    if "statefulset.kubernetes.io/pod-name" in labels or "controller-revision-hash" in labels:
        return pod.rpartition("-")[0] or pod
    return pod
