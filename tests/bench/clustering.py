"""What services of Kubernetes with their pods cost a sidecar: all clusters and endpoints, one address, one label, and a Sidecar's narrow view.

In process, as ``compiling``. Each service has ten pods, an EndpointSlice and a DestinationRule with two subsets, in twenty namespaces.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.controlplane.nodes import DeclaredProxy, read_proxy
from meshctl_operator.controlplane.pipeline import Pipeline, Served
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState
from tests.bench.compiling import SOURCE, Cost, decoded
from tests.support.load.mesh import API, ENDPOINTS, NAMESPACES, RawObject

IMPORTED: Final = 10
"""How many hosts the Sidecar names."""
NARROW: Final = "narrow"
"""The namespace with the Sidecar."""
WIDE: Final = "wide"
"""A namespace without one; no service is in either."""
TYPES: Final = {
    "CDS": TypeUrl.CLUSTER,
    "EDS": TypeUrl.ENDPOINT,
    "LDS": TypeUrl.LISTENER,
    "RDS": TypeUrl.ROUTE,
    "VHDS": TypeUrl.VIRTUAL_HOST,
}


@dataclass(frozen=True, slots=True)
class PodMesh:
    """A mesh of ``services`` services with ten pods each."""

    services: int

    def namespace(self, number: int) -> str:
        """Return the namespace of a service."""
        return f"team-{number % NAMESPACES}"

    def host(self, number: int) -> str:
        """Return the host of a service."""
        return f"shop-{number}.{self.namespace(number)}.svc.cluster.local"

    def objects(self) -> Iterator[RawObject]:
        """Yield all objects."""
        for number in range(self.services):
            spec = {
                "clusterIP": f"172.{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}",
                "selector": {"app": f"shop-{number}"},
                "ports": [{"name": "http", "port": 8080}],
            }
            yield {"apiVersion": "v1", "kind": "Service", "metadata": self._meta(number, f"shop-{number}"), "spec": spec}
            yield from (self.pod(number, index) for index in range(ENDPOINTS))
            yield self.endpoint_slice(number)
            yield self.destination_rule(number)
        hosts = [f"*/{self.host(number)}" for number in range(IMPORTED)]
        meta = {"name": "narrow", "namespace": NARROW}
        yield {"apiVersion": API, "kind": "Sidecar", "metadata": meta, "spec": {"egress": [{"hosts": hosts}]}}

    def pod(self, number: int, index: int, version: str = "") -> RawObject:
        """Return a pod of a service; half of them are of version v1."""
        labels = {"app": f"shop-{number}", "version": version or ("v1" if index < ENDPOINTS // 2 else "v2")}
        address = _address(number * ENDPOINTS + index)
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        meta = {**self._meta(number, f"shop-{number}-{index}"), "labels": labels}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "shop"}]}, "status": status}

    def endpoint_slice(self, number: int, changed: Mapping[int, str] | None = None) -> RawObject:
        """Return the EndpointSlice of a service; ``changed`` gives endpoints other addresses, by their number."""
        endpoints = [
            {
                "addresses": [(changed or {}).get(index) or _address(number * ENDPOINTS + index)],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": f"shop-{number}-{index}", "namespace": self.namespace(number)},
            }
            for index in range(ENDPOINTS)
        ]
        meta = {**self._meta(number, f"shop-{number}-1"), "labels": {"kubernetes.io/service-name": f"shop-{number}"}}
        ports = [{"name": "http", "port": 8080}]
        kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4"}
        return {**kind, "metadata": meta, "ports": ports, "endpoints": endpoints}

    def destination_rule(self, number: int) -> RawObject:
        """Return the DestinationRule of a service."""
        policy = {"connectionPool": {"tcp": {"maxConnections": 100}}, "outlierDetection": {"consecutive5xxErrors": 5, "interval": "10s"}}
        subsets = [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")]
        spec = {"host": self.host(number), "trafficPolicy": policy, "subsets": subsets}
        return {"apiVersion": API, "kind": "DestinationRule", "metadata": self._meta(number, f"shop-{number}"), "spec": spec}

    def _meta(self, number: int, name: str) -> RawObject:
        return {"name": name, "namespace": self.namespace(number)}


class ClusterBench:
    """A pipeline with such a mesh, and proxies that are served from it."""

    def __init__(self, size: int) -> None:
        """Decode and apply the mesh; nothing is compiled yet."""
        self.mesh = PodMesh(size)
        self._pipeline = Pipeline(Settings(), [SOURCE])
        self._pipeline.apply(decoded(self.mesh.objects()))
        self._served: dict[DeclaredProxy, Served] = {}
        self._pipeline.take_statistics()

    def serve(self, namespace: str) -> Cost:
        """Return what the first sidecar of a namespace costs."""
        node = f"sidecar~10.200.0.1~load.{namespace}~{namespace}.svc.cluster.local"
        return self._timed((), read_proxy(NodeInfo(node, metadata={"NAMESPACE": namespace, "LABELS": {"app": "load"}})))

    def change(self, *objects: RawObject) -> Cost:
        """Return what it costs to apply objects and to bring every proxy served so far up to date."""
        return self._timed(objects, *self._served)

    def state(self, namespace: str) -> ViewState:
        """Return what the sidecar of a namespace holds."""
        return next(served.state for proxy, served in self._served.items() if proxy.proxy.namespace == namespace)

    def _timed(self, objects: tuple[RawObject, ...], *proxies: DeclaredProxy) -> Cost:
        changes = decoded(objects)
        start = time.thread_time()
        if changes:
            self._pipeline.apply(changes)
        for proxy in proxies:
            for _ in self._pipeline.prepare(proxy):
                pass
            self._served[proxy] = self._pipeline.serve(proxy, self._served.get(proxy))
        return Cost(time.thread_time() - start, dict(self._pipeline.take_statistics().recomputed))


def sizes(state: ViewState) -> dict[str, dict[str, int]]:
    """Return resources and bytes (as Delta sends them) by type."""
    return {
        name: {"resources": len(state.of(url)), "bytes": sum(len(resource.delta_frame) for resource in state.of(url).values())}
        for name, url in TYPES.items()
    }


def differences(before: ViewState, after: ViewState) -> dict[str, list[str]]:
    """Return the names of the resources that are new, gone or other, by type; types without any are left out."""
    found = {}
    for name, url in TYPES.items():
        old, new = before.of(url), after.of(url)
        changed = [each for each in sorted({*old, *new}) if old.get(each) != new.get(each)]
        if changed:
            found[name] = changed
    return found


def cluster_figures(size: int, repetitions: int) -> dict[str, Any]:
    """Return the figures of a mesh of ``size`` services, as JSON values."""
    bench = ClusterBench(size)
    mesh = bench.mesh
    cold, narrow = bench.serve(WIDE), bench.serve(NARROW)
    numbers = range(IMPORTED, IMPORTED + repetitions)
    addresses = [bench.change(mesh.endpoint_slice(number, {3: f"10.250.{number & 255}.1"})) for number in numbers]
    labels = [bench.change(mesh.pod(number, 3, "v2")) for number in numbers]
    steps = {
        "cold": cold,
        "sidecar_of_10_hosts": narrow,
        "endpoint": min(addresses, key=lambda cost: cost.seconds),
        "pod_label": min(labels, key=lambda cost: cost.seconds),
    }
    return {
        "views": {namespace: sizes(bench.state(namespace)) for namespace in (WIDE, NARROW)},
        "steps": {name: cost.to_json() | {"of_cold": round(cost.seconds / cold.seconds, 6)} for name, cost in steps.items()},
    }


def _address(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
