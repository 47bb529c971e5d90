"""Endpoints of services: from EndpointSlices, WorkloadEntries, Pods and ServiceEntries, as one model (Istio ``IstioEndpoint``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from meshctl_operator.apis.core.endpoint_slice import EndpointConditions, EndpointSliceSpec, ObjectReference
from meshctl_operator.apis.core.endpoints import EndpointsSpec
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.service_entry import Resolution as DeclaredResolution
from meshctl_operator.apis.networking.service_entry import ServiceEntrySpec
from meshctl_operator.apis.networking.service_entry import ServicePort as DeclaredPort
from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.hostname import is_ip, is_wildcard
from meshctl_operator.base.labels import Labels, freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import codes
from meshctl_operator.model.mesh import is_on
from meshctl_operator.model.proxies import Locality
from meshctl_operator.model.services import Service, ServicePort, services_of
from meshctl_operator.model.workloads import Workload, pod_at, workload_named, workloads_selected
from meshctl_operator.registry.cells import Cell, Table

PERSISTENT_SESSION_LABEL: Final = "istio.io/persistent-session"
DRAINING_LABEL: Final = "istio.io/draining"
_TLS_MODE: Final = "security.istio.io/tlsMode"
_IMPORTED_LABEL: Final = "multicluster.kubernetes.io/service-name"  # such slices stand for another cluster's service
_UNIX: Final = "unix://"
_NOWHERE: Final = Locality()


class Health(StrEnum):
    """Whether an endpoint may get traffic (Istio ``model.HealthStatus``). A terminating endpoint is never served."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"
    TERMINATING = "TERMINATING"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of one service port. ``port_name`` joins it with the service port. ``labels`` include the derived topology labels.

    ``address`` is an IP, a host name (DNS services only) or a ``unix://`` path with port 0; ``other_addresses`` lead to the same workload
    in a mesh of two families. ``workload`` is the name that people know, ``source`` the object that declared the endpoint.
    """

    address: str
    port: int
    port_name: str
    source: ObjectKey
    health: Health = Health.UNKNOWN
    weight: int = 1
    locality: Locality = _NOWHERE
    labels: Labels = ()
    workload: str = ""
    namespace: str = ""
    service_account: str = ""
    network: str = ""
    node_name: str = ""
    other_addresses: tuple[str, ...] = ()

    @property
    def takes_mutual_tls(self) -> bool:
        """Whether a sidecar of the mesh stands before it: its label says so, or a service account where there is no label."""
        mode = next((value for label, value in self.labels if label == _TLS_MODE), None)
        declared = self.source.kind in {Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY} and bool(self.service_account)
        return declared if mode is None else mode == "istio"

    @property
    def is_ip_or_socket(self) -> bool:
        """Whether Envoy can connect without resolving a name."""
        return self.address.startswith(_UNIX) or is_ip(self.address)


def endpoints(ctx: Context, host: str, namespace: str) -> tuple[Endpoint, ...]:
    """Return the endpoints of every service of that host and namespace, sorted by address and port.

    Services of one host and namespace share one table of endpoints: a Service and a ServiceEntry complete each other.
    """
    found: dict[tuple[str, int, str], Endpoint] = {}
    for key in ctx.fetch(Cell(Table.SERVICES, host)):
        if key.namespace != namespace:
            continue
        for service in ctx.derive(services_of, key):
            if service.host == host:
                for endpoint in ctx.derive(endpoints_of, key, host):
                    found.setdefault((endpoint.address, endpoint.port, endpoint.port_name), endpoint)
    return tuple(found[place] for place in sorted(found))


def endpoints_of(ctx: Context, key: ObjectKey, host: str) -> tuple[Endpoint, ...]:
    """Return the endpoints that one Service or ServiceEntry gives to the host."""
    service = next((found for found in ctx.derive(services_of, key) if found.host == host), None)
    if service is None:
        return ()
    for obj in ctx.fetch(Cell(Table.OBJECT, key)):
        if obj.kind is Kind.SERVICE_ENTRY:
            return tuple(_of_service_entry(ctx, obj, service))
    return tuple(_of_kubernetes(ctx, service))


# Kubernetes


def _of_kubernetes(ctx: Context, service: Service) -> Iterator[Endpoint]:
    objects = ctx.fetch(Cell(Table.ENDPOINT_SLICES, (service.namespace, service.name)))
    slices = [obj for obj in objects if obj.kind is Kind.ENDPOINT_SLICE]
    seen: set[tuple[str, str]] = set()
    persistent = bool(dict(service.labels).get(PERSISTENT_SESSION_LABEL))
    for obj in slices or objects:
        for endpoint in _of_slice(ctx, obj, persistent=persistent) if slices else _of_endpoints(ctx, obj):
            if (identity := (endpoint.address, endpoint.port_name)) not in seen:
                seen.add(identity)
                yield endpoint
    if service.selector:
        for workload in ctx.derive(workloads_selected, service.namespace, service.selector):
            if not workload.pod and workload.has_ip and workload.ready:
                yield from _of_selected_entry(workload, service.ports)


def _of_slice(ctx: Context, obj: ConfigObject[EndpointSliceSpec], *, persistent: bool) -> Iterator[Endpoint]:
    if obj.spec.address_type == "FQDN" or obj.meta.labels.get(_IMPORTED_LABEL):
        return
    namespace = obj.key.namespace
    dual_stack = is_on(ctx, "ISTIO_DUAL_STACK")
    for declared in obj.spec.endpoints:
        health = _health(declared.conditions, persistent=persistent)
        for address, *others in (declared.addresses,) if dual_stack and declared.addresses else ((each,) for each in declared.addresses):
            known, workload = _workload_behind(ctx, namespace, declared.target_ref, address)
            if not known:
                continue
            if dual_stack and workload is not None and address in workload.ips:  # the slices of both families name one pod
                address, *others = workload.ips  # noqa: PLW2901  (all of its addresses in the place of one)
            for port in obj.spec.ports:
                if port.port is not None and port.protocol != "UDP":
                    endpoint = Endpoint(address, port.port, port.name, obj.key, health, namespace=namespace, node_name=declared.node_name)
                    yield replace(_with_workload(endpoint, workload), other_addresses=tuple(others))


def _of_endpoints(ctx: Context, obj: ConfigObject[EndpointsSpec]) -> Iterator[Endpoint]:
    namespace = obj.key.namespace
    for subset in obj.spec.subsets:
        for addresses, health in ((subset.addresses, Health.HEALTHY), (subset.not_ready_addresses, Health.UNHEALTHY)):
            for declared in addresses:
                known, workload = _workload_behind(ctx, namespace, declared.target_ref, declared.ip)
                if not known:
                    continue
                for port in subset.ports:
                    if port.port is not None and port.protocol != "UDP":
                        endpoint = Endpoint(
                            declared.ip, port.port, port.name, obj.key, health, namespace=namespace, node_name=declared.node_name
                        )
                        yield _with_workload(endpoint, workload)


def _workload_behind(ctx: Context, namespace: str, reference: ObjectReference | None, address: str) -> tuple[bool, Workload | None]:
    """Return whether the endpoint can be used, and the workload behind it.

    An endpoint that names a pod which is not known yet waits for it: without its labels it would be missing from every subset. Only the
    name counts, so that a Deployment stands in for its pods where there are none.
    """
    if reference is None or not reference.name:
        return True, ctx.derive(pod_at, namespace, address)
    workload = ctx.derive(workload_named, reference.namespace or namespace, reference.name)
    if workload is None and reference.kind != Kind.POD:
        return True, ctx.derive(pod_at, namespace, address)
    return workload is not None, workload


def _health(conditions: EndpointConditions, *, persistent: bool) -> Health:
    """Return the health that the conditions of an EndpointSlice tell; unset conditions lean to "ready" and "terminating"."""
    if conditions.ready is None or conditions.ready:
        return Health.HEALTHY
    if conditions.terminating is False:
        return Health.UNHEALTHY
    serving = conditions.serving is None or conditions.serving
    return Health.DRAINING if persistent and serving else Health.TERMINATING


def _of_selected_entry(workload: Workload, ports: Iterable[ServicePort]) -> Iterator[Endpoint]:
    """A WorkloadEntry behind a Kubernetes Service: its port map is keyed by the target port's name, or else by the service port's."""
    overrides = dict(workload.ports)
    for port in ports:
        if isinstance(port.target_port, str):
            number = overrides.get(port.target_port, 0)
        else:
            number = overrides.get(port.name, port.target_port or port.number)
        if number:
            yield _endpoint(workload, workload.ips[0], number, port.name, workload.key, Health.HEALTHY)


# ServiceEntry


def _of_service_entry(ctx: Context, obj: ConfigObject[ServiceEntrySpec], service: Service) -> Iterator[Endpoint]:
    spec = obj.spec
    by_dns = spec.resolution.is_dns
    if spec.workload_selector is not None:
        selector = freeze(spec.workload_selector.labels)
        declared: Iterable[Endpoint] = (
            endpoint
            for workload in ctx.derive(workloads_selected, obj.key.namespace, selector)
            if workload.key.kind != Kind.DEPLOYMENT and workload.ready and workload.ips and (workload.has_ip or by_dns)
            for endpoint in _of_workload(workload, spec.ports)
        )
    elif spec.endpoints:
        declared = (endpoint for index, entry in enumerate(spec.endpoints) for endpoint in _of_inline_entry(obj, index, entry, spec.ports))
    elif by_dns and not is_wildcard(service.host):
        declared = (
            Endpoint(service.host, port.target_port or port.number, port.name, obj.key, workload=obj.key.name, namespace=obj.key.namespace)
            for port in spec.ports
        )
    else:
        declared = ()
    if spec.resolution is DeclaredResolution.DNS_ROUND_ROBIN:
        # A logical DNS cluster takes exactly one endpoint.
        yield from {endpoint.port_name: endpoint for endpoint in reversed(list(declared))}.values()
    else:
        yield from declared


def _of_workload(workload: Workload, ports: Iterable[DeclaredPort]) -> Iterator[Endpoint]:
    overrides = dict(workload.ports)
    address = workload.ips[0]
    for port in ports:
        number = 0 if address.startswith(_UNIX) else overrides.get(port.name, port.target_port or port.number)
        yield _endpoint(workload, address, number, port.name, workload.key)


def _of_inline_entry(obj: ConfigObject[Any], index: int, entry: WorkloadEntrySpec, ports: Iterable[DeclaredPort]) -> Iterator[Endpoint]:
    if not entry.address:
        return
    workload = Workload(
        key=obj.key,
        name=f"{obj.key.name}-{index}",
        namespace=obj.key.namespace,
        labels=freeze(entry.labels),
        ips=(entry.address,),
        service_account=entry.service_account,
        locality=Locality.parse(entry.locality),
        network=entry.network,
        weight=entry.weight or 1,
        ports=tuple(sorted(entry.ports.items())),
    )
    yield from _of_workload(workload, ports)


def _with_workload(endpoint: Endpoint, workload: Workload | None) -> Endpoint:
    """Complete an endpoint by what its workload tells."""
    if workload is None:
        return endpoint
    return _endpoint(workload, endpoint.address, endpoint.port, endpoint.port_name, endpoint.source, endpoint.health, endpoint.node_name)


def _endpoint(
    workload: Workload, address: str, port: int, port_name: str, source: ObjectKey, health: Health = Health.UNKNOWN, node_name: str = ""
) -> Endpoint:
    """Return an endpoint of a workload; the derived topology labels win over the workload's own."""
    locality, node = workload.locality, workload.node_name or node_name
    labels = workload.labels
    draining = dict(labels).get(DRAINING_LABEL)
    if locality != _NOWHERE or node:
        derived = (
            ("topology.kubernetes.io/region", locality.region),
            ("topology.kubernetes.io/zone", locality.zone),
            ("topology.istio.io/subzone", locality.sub_zone),
            ("kubernetes.io/hostname", node),
        )
        labels = freeze({**dict(labels), **{label: value for label, value in derived if value}})
    if workload.network:
        labels = freeze({"topology.istio.io/network": workload.network, **dict(labels)})
    return Endpoint(
        address,
        port,
        port_name,
        source,
        health=Health.DRAINING if draining and health is not Health.TERMINATING else health,
        weight=workload.weight,
        locality=locality,
        labels=labels,
        workload=workload.name,
        namespace=workload.namespace,
        service_account=workload.service_account,
        network=workload.network,
        node_name=node,
    )


# Findings


def selector_diagnostics(ctx: Context) -> tuple[Diagnostic, ...]:
    """Return an info for each ServiceEntry whose workloadSelector selects nothing that is ready."""
    keys: tuple[ObjectKey, ...] = ctx.fetch(Cell(Table.SELECTING_ENTRIES, "*"))
    return tuple(
        codes.SELECTOR_MATCHES_NOTHING.info(
            key,
            "spec.workloadSelector",
            f"matches no WorkloadEntry and no ready Pod in namespace {key.namespace!r}",
            hint="its hosts have no endpoints until one appears",
        )
        for key in keys
        if all(not ctx.derive(endpoints_of, key, service.host) for service in ctx.derive(services_of, key))
    )
