"""What Kubernetes would have added: EndpointSlices of the workloads that run here, and Secrets for throw-away certificates."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Upsert
from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.base.labels import selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.static import KeyPair
from meshctl_operator.controlplane.source import Sink, Source
from meshctl_operator.dev.workloads import LocalWorkload, target_port
from meshctl_operator.registry.cells import SERVICE_NAME_LABEL

SOURCE_NAME: Final = "local"


@dataclass(frozen=True, slots=True)
class Placed:
    """A workload at its address. ``ports`` maps a target port to the one that is really bound, where the two differ."""

    workload: LocalWorkload
    address: str
    ports: Mapping[int, int]


def endpoint_slices(service: ConfigObject[ServiceSpec], placed: Iterable[Placed]) -> tuple[Upsert, ...]:
    """Return the EndpointSlices of a Service: one for each selected workload, since bound ports may differ between them."""
    if not service.spec.selector:
        return ()
    return tuple(
        _slice(service, each)
        for each in placed
        if each.workload.namespace == service.key.namespace and selects(service.spec.selector, each.workload.labels)
    )


def tls_secret(namespace: str, name: str, pair: KeyPair) -> Upsert:
    """Return a Secret of type ``kubernetes.io/tls`` that holds the key pair."""
    data = {"tls.crt": pair.certificate, "tls.key": pair.key}
    return _object(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": namespace},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
        }
    )


def _slice(service: ConfigObject[ServiceSpec], placed: Placed) -> Upsert:
    workload = placed.workload
    ports = []
    for port in service.spec.ports:
        target = target_port(workload.deployment, port.target_port or port.port)
        if target:
            ports.append({"name": port.name, "port": placed.ports.get(target, target), "protocol": port.protocol})
    return _object(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {
                "name": f"{service.key.name}-{workload.name}",
                "namespace": service.key.namespace,
                "labels": {SERVICE_NAME_LABEL: service.key.name},
            },
            "endpoints": [
                {
                    "addresses": [placed.address],
                    "conditions": {"ready": True},
                    "targetRef": {"kind": Kind.POD.value, "namespace": workload.namespace, "name": workload.name},
                }
            ],
            "ports": ports,
        }
    )


def _object(raw: dict[str, Any]) -> Upsert:
    decoded = decode(raw)
    if not isinstance(decoded, Upsert):
        raise CompileBug(f"a {raw['kind']} of our own is refused: {'; '.join(map(str, decoded.diagnostics))}")
    return decoded


class LocalObjects:
    """The source of those objects. It follows the Services of other sources, which run through ``observed``.

    It counts as synced when they all are: until then Services may be missing, and a mesh without endpoints must not be served.
    """

    def __init__(self, placed: Iterable[Placed], fixed: Iterable[Upsert] = ()) -> None:
        """Take the workloads that run here, and objects that never change."""
        self._placed = tuple(placed)
        self._fixed = tuple(fixed)
        self._seen: dict[str, dict[ObjectKey, ConfigObject[Any]]] = {}
        self._unsynced: set[str] = set()
        self._submitted: dict[ObjectKey, Upsert] = {}
        self._news = asyncio.Event()

    @property
    def name(self) -> str:
        """The name of the source."""
        return SOURCE_NAME

    def observed(self, source: Source) -> Source:
        """Return a source that says the same and lets us listen. Of two with the same Service the one observed first wins."""
        self._seen[source.name] = {}
        self._unsynced.add(source.name)
        return _Observed(source, self)

    def take(self, changes: ChangeSet) -> None:
        """Note what an observed source says about Services and Gateways."""
        known = self._seen[changes.source]
        for change in changes.changes:
            match change:
                case Upsert(object=obj) if obj.kind in (Kind.SERVICE, Kind.GATEWAY):
                    known[change.key] = obj
                case Delete():
                    known.pop(change.key, None)
                case _:
                    pass
        if changes.synced:
            self._unsynced.discard(changes.source)
        self._news.set()

    def observed_objects(self) -> tuple[ConfigObject[Any], ...]:
        """Return the Services and Gateways that count now."""
        found: dict[ObjectKey, ConfigObject[Any]] = {}
        for known in self._seen.values():
            for key, obj in known.items():
                found.setdefault(key, obj)
        return tuple(found.values())

    def changes(self) -> tuple[Change, ...]:
        """Return what differs from what was returned before."""
        services = (obj for obj in self.observed_objects() if obj.kind is Kind.SERVICE)
        slices = (each for service in services for each in endpoint_slices(service, self._placed))
        wanted = {upsert.key: upsert for upsert in (*self._fixed, *slices)}
        gone = tuple(Delete(key) for key in sorted(self._submitted.keys() - wanted.keys()))
        fresh = tuple(upsert for key, upsert in sorted(wanted.items()) if self._submitted.get(key) != upsert)
        self._submitted = wanted
        return (*gone, *fresh)

    async def run(self, sink: Sink) -> None:
        """Submit everything once the observed sources are synced, then every change."""
        self._submitted = {}
        while True:
            self._news.clear()
            if not self._unsynced:
                changes = self.changes()
                sink.submit(ChangeSet(changes, self.name, synced=True))
            await self._news.wait()


@dataclass(frozen=True, slots=True)
class _Observed:
    """A source with a listener."""

    inner: Source
    listener: LocalObjects

    @property
    def name(self) -> str:
        return self.inner.name

    async def run(self, sink: Sink) -> None:
        await self.inner.run(_Tee(sink, self.listener))

    def locate(self, diagnostic: Any) -> Any:  # noqa: ANN401  (passed on untouched)
        """Pass the question for file and line on to the source that knows."""
        locate = getattr(self.inner, "locate", None)
        return locate(diagnostic) if locate is not None else diagnostic


@dataclass(frozen=True, slots=True)
class _Tee:
    """A sink with a listener, which hears of a change after the control plane."""

    sink: Sink
    listener: LocalObjects

    def submit(self, changes: ChangeSet) -> None:
        self.sink.submit(changes)
        self.listener.take(changes)
