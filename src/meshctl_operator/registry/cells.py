"""Cells: the units of tracked reading, and the rule that says under which cells an object is filed."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from enum import StrEnum
from typing import Any, Final, NamedTuple

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.automatic_ranges import place_of
from meshctl_operator.base.hostname import is_wildcard, resolve_short_name
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PARTIAL_WILDCARDS = "*?"
"""Stands in a bucket for every host such as ``*-a.com``: no chain of parents leads to those."""
MESH_L4 = "mesh?l4"
"""The bucket of the mesh's VirtualServices with TCP or TLS rules; no gateway can have this name."""


class Table(StrEnum):
    """The tables, with what their buckets are.

    The tables in ``KEY_TABLES`` hold keys, not objects: who is filed where, and in which order. An edit that moves no object changes
    nothing there, so that whoever walks over all objects of a kind does not walk again for each edit of one.
    """

    OBJECT = "object"
    """One object, by its ``ObjectKey``."""
    SERVICES = "services"
    """Keys of Services and ServiceEntries: all of them under ``"*"``; those that declare a host under that host (a str)."""
    ALIASES = "aliases"
    """Keys of the Services of type ExternalName, by the host that they stand for."""
    SERVICES_OF_NAMESPACE = "services-of-namespace"
    """Keys of Services and ServiceEntries by namespace."""
    SELECTING_ENTRIES = "selecting-entries"
    """Keys of the ServiceEntries with a workload selector, under ``"*"``."""
    AUTOMATIC_ADDRESSES = "automatic-addresses"
    """Keys of ServiceEntries by ``("host", shard)`` of their hosts, and by ``("address", shard)`` of what they have of automatic ranges."""
    ENDPOINT_SLICES = "endpoint-slices"
    """EndpointSlices and Endpoints of a Service, by ``(namespace, service name)``."""
    DESTINATION_RULES = "destination-rules"
    """DestinationRules by ``(namespace, resolved host)``; wildcards under their own spelling, those that cut a label in two also under
    ``(namespace, PARTIAL_WILDCARDS)``."""
    RULES = "rules"
    """Keys of DestinationRules: all of them under ``"*"``, those of an exact host under that host, those of any wildcard under
    ``PARTIAL_WILDCARDS``."""
    VIRTUAL_SERVICES = "virtual-services"
    """Keys of VirtualServices by resolved gateway: ``"mesh"`` or ``"namespace/name"``; all, delegates (no hosts) included, under ``"*"``;
    those of the mesh with TCP or TLS rules also under ``MESH_L4``."""
    MESH_HOSTS = "mesh-hosts"
    """Keys of VirtualServices of the mesh by each of their hosts, completed and in lower case."""
    GATEWAYS = "gateways"
    """All Gateways under ``"*"``."""
    SECURITY_POLICIES = "security-policies"
    """AuthorizationPolicies, PeerAuthentications and RequestAuthentications by namespace."""
    SIDECARS = "sidecars"
    """Sidecars by namespace; all under ``"*"``."""
    WORKLOADS = "workloads"
    """Pods, WorkloadEntries and Deployments by ``(namespace, label, value)``; those of a namespace under ``(namespace, "", "")``."""
    PODS_BY_IP = "pods-by-ip"
    """Pods by ``(namespace, address)``."""
    LABEL_MENTIONS = "label-mentions"
    """Objects that tell proxies apart by their labels (sourceLabels, workload selectors), under ``"*"``."""


KEY_TABLES: Final = frozenset(
    {
        Table.SERVICES,
        Table.ALIASES,
        Table.SERVICES_OF_NAMESPACE,
        Table.SELECTING_ENTRIES,
        Table.AUTOMATIC_ADDRESSES,
        Table.RULES,
        Table.VIRTUAL_SERVICES,
        Table.MESH_HOSTS,
    }
)
"""The tables whose buckets are tuples of ``ObjectKey``, the oldest object first; those of all others are tuples of objects."""


class Cell(NamedTuple):
    """One unit of reading: a table and a bucket of it."""

    table: Table
    bucket: Hashable


def object_cell(kind: Kind, namespace: str, name: str) -> Cell:
    """Return the cell of one object by its key."""
    return Cell(Table.OBJECT, ObjectKey(kind, namespace, name))


def cells_of(obj: ConfigObject[Any], domain: str) -> Iterator[Cell]:
    """Yield every cell under which the object is filed. ``domain`` is the cluster domain that completes short host names."""
    yield Cell(Table.OBJECT, obj.key)
    if mentioned_labels(obj):
        yield Cell(Table.LABEL_MENTIONS, "*")
    namespace, spec = obj.key.namespace, obj.spec
    match obj.kind:
        case Kind.SERVICE:
            yield Cell(Table.SERVICES, "*")
            yield Cell(Table.SERVICES, f"{obj.key.name}.{namespace}.svc.{domain}")
            yield from (Cell(Table.ALIASES, host) for host in (spec.external_name,) if host and spec.type == "ExternalName")
            yield Cell(Table.SERVICES_OF_NAMESPACE, namespace)
        case Kind.SERVICE_ENTRY:
            yield Cell(Table.SERVICES, "*")
            yield from (Cell(Table.SERVICES, host) for host in dict.fromkeys(spec.hosts))
            yield Cell(Table.SERVICES_OF_NAMESPACE, namespace)
            if spec.workload_selector is not None:
                yield Cell(Table.SELECTING_ENTRIES, "*")
            yield from (Cell(Table.AUTOMATIC_ADDRESSES, place) for place in _automatic_places(obj))
        case Kind.ENDPOINT_SLICE:
            yield Cell(Table.ENDPOINT_SLICES, (namespace, obj.meta.labels.get(SERVICE_NAME_LABEL, "")))
        case Kind.ENDPOINTS:
            yield Cell(Table.ENDPOINT_SLICES, (namespace, obj.key.name))
        case Kind.DESTINATION_RULE:
            host = resolve_short_name(spec.host, namespace, domain)
            yield Cell(Table.DESTINATION_RULES, (namespace, host))
            yield Cell(Table.RULES, "*")
            yield Cell(Table.RULES, PARTIAL_WILDCARDS if is_wildcard(host) else host)
            if spec.host[:1] == "*" and spec.host[1:2] not in {"", "."}:
                yield Cell(Table.DESTINATION_RULES, (namespace, PARTIAL_WILDCARDS))
        case Kind.VIRTUAL_SERVICE:
            yield from _virtual_service_cells(obj, domain)
        case Kind.GATEWAY:
            yield Cell(Table.GATEWAYS, "*")
        case Kind.SIDECAR:
            yield Cell(Table.SIDECARS, "*")
            yield Cell(Table.SIDECARS, namespace)
        case Kind.AUTHORIZATION_POLICY | Kind.PEER_AUTHENTICATION | Kind.REQUEST_AUTHENTICATION:
            yield Cell(Table.SECURITY_POLICIES, namespace)
        case Kind.POD | Kind.WORKLOAD_ENTRY | Kind.DEPLOYMENT:
            yield Cell(Table.WORKLOADS, (namespace, "", ""))
            yield from (Cell(Table.WORKLOADS, (namespace, *pair)) for pair in workload_labels(obj).items())
            yield from (Cell(Table.PODS_BY_IP, (namespace, ip)) for ip in (spec.addresses if obj.kind is Kind.POD else ()))
        case _:
            pass


def _automatic_places(obj: ConfigObject[Any]) -> Iterator[tuple[str, int]]:
    yield from (("host", shard) for shard in dict.fromkeys(map(shard_of, obj.spec.hosts)))
    declared = (*obj.spec.addresses, *(each.value for each in (obj.status.addresses if obj.status else ())))
    yield from (("address", place % SHARDS) for address in dict.fromkeys(declared) if (place := place_of(address)) is not None)


def _virtual_service_cells(obj: ConfigObject[Any], domain: str) -> Iterator[Cell]:
    namespace, spec = obj.key.namespace, obj.spec
    yield Cell(Table.VIRTUAL_SERVICES, "*")
    if not spec.hosts:
        return
    gateways = resolve_gateways(spec.gateways, namespace)
    yield from (Cell(Table.VIRTUAL_SERVICES, gateway) for gateway in gateways)
    if "mesh" in gateways:
        hosts = dict.fromkeys(resolve_short_name(host, namespace, domain).lower() for host in spec.hosts)
        yield from (Cell(Table.MESH_HOSTS, host) for host in hosts)
        if spec.tcp or spec.tls:
            yield Cell(Table.VIRTUAL_SERVICES, MESH_L4)


def workload_labels(obj: ConfigObject[Any]) -> dict[str, str]:
    """Return the labels by which a workload is selected.

    A Pod's own; a WorkloadEntry's of the spec overlaid by its metadata (as istiod's store has it); a Deployment's of its pod template.
    """
    match obj.kind:
        case Kind.WORKLOAD_ENTRY:
            return {**obj.spec.labels, **obj.meta.labels}
        case Kind.DEPLOYMENT:
            return dict(obj.spec.template.metadata.labels)
        case _:
            return dict(obj.meta.labels)


def mentioned_labels(obj: ConfigObject[Any]) -> frozenset[str]:
    """Return the label keys of *proxies* on which the object makes its effect depend."""
    spec = obj.spec
    match obj.kind:
        case Kind.VIRTUAL_SERVICE:
            rules = (*spec.http, *spec.tcp, *spec.tls)
            return frozenset(label for rule in rules for match in rule.match if match for label in match.source_labels)
        case Kind.DESTINATION_RULE if spec.workload_selector is not None:
            return frozenset(spec.workload_selector.match_labels)
        case Kind.SIDECAR if spec.workload_selector is not None:
            return frozenset(spec.workload_selector.labels)
        case _:
            return frozenset()


def resolve_gateways(gateways: tuple[str, ...], namespace: str) -> tuple[str, ...]:
    """Return gateway names as ``mesh`` or ``namespace/name``, each once; none given means the mesh (``spec/routing`` 4.1)."""
    return tuple(dict.fromkeys(resolve_gateway(name, namespace) for name in gateways)) or ("mesh",)


def resolve_gateway(name: str, namespace: str) -> str:
    """Return one gateway name as ``mesh`` or ``namespace/name``: ``gw``, ``./gw``, ``ns/gw`` and the old ``gw.ns...`` are understood."""
    if name == "mesh":
        return name
    if "/" in name:
        own, _, rest = name.partition("/")
        return f"{namespace}/{rest}" if own == "." else name
    if "." in name:
        short, _, rest = name.partition(".")
        return f"{rest.partition('.')[0]}/{short}"
    return f"{namespace}/{name}"
