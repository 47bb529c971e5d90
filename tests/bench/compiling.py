"""What the compiler costs in process, without sockets: everything, one more view, and one changed object, in time and in recomputed nodes.

The shapes: a sidecar of the load mesh (services with a VirtualService and a DestinationRule each); a gateway with one host per
VirtualService; a gateway where many VirtualServices share one host; these two again with ten rules in each VirtualService.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self, assert_never

from meshctl_operator.apis.changes import Change
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.controlplane.garbage import GarbageCollector
from meshctl_operator.controlplane.nodes import DeclaredProxy, read_proxy
from meshctl_operator.controlplane.pipeline import Pipeline, Served
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.nodes import JsonValue, NodeInfo
from tests.support.load.mesh import LoadMesh, RawObject, gateway, path_route

SOURCE: Final = "bench"
SHARED_HOST: Final = "shared.example.com"
GATEWAY: Final = "front"
VIEWS: Final = 4
"""Views in the steps ``..._in_views``; the other steps have one, with two proxies."""


class Shape(StrEnum):
    """Which mesh is compiled, for which proxy."""

    SIDECAR = "sidecar"
    GATEWAY_HOSTS = "gateway-hosts"
    GATEWAY_SHARED = "gateway-shared"
    GATEWAY_HOSTS_TEN = "gateway-hosts-ten-rules"
    GATEWAY_SHARED_TEN = "gateway-shared-ten-rules"


GATEWAYS: Final = tuple(shape for shape in Shape if shape is not Shape.SIDECAR)
TEN: Final = 10


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step cost: CPU seconds of this thread, which other work on the machine stretches little, and the nodes that were recomputed."""

    seconds: float
    recomputed: dict[str, int]

    @property
    def nodes(self) -> int:
        """All nodes that were recomputed."""
        return sum(self.recomputed.values())

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {"ms": round(self.seconds * 1000, 3), "nodes": self.nodes, "recomputed": dict(sorted(self.recomputed.items()))}


class Bench:
    """A pipeline with a mesh of ``size`` services (or VirtualServices) in it, and proxies that are served from it."""

    def __init__(self, shape: Shape, size: int) -> None:
        """Decode the mesh; nothing is applied yet."""
        self.shape = shape
        self.mesh = LoadMesh(size)
        self._start = decoded(self._objects())
        self._garbage = GarbageCollector(Telemetry(), tuned=True)
        self._pipeline = Pipeline(Settings(), [SOURCE])
        self._served: dict[DeclaredProxy, Served] = {}

    def __enter__(self) -> Self:
        """Have the garbage collected as in the server."""
        self._garbage.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._garbage.__exit__(kind, error, trace)

    def cold(self) -> dict[str, Cost]:
        """Start with an empty pipeline: the cost to apply all objects, and then to compile the first view."""
        self._pipeline = Pipeline(Settings(), [SOURCE])
        self._served = {}
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._pipeline.take_statistics()
        return {"apply": self._timed(lambda: self._pipeline.apply(self._start)), "cold": self.serve(self.proxy())}

    def proxy(self, namespace: str = "team-1", number: int = 1) -> DeclaredProxy:
        """Return a proxy of the shape; sidecars of one namespace have one view."""
        labels: dict[str, JsonValue] = {"app": "load"}
        if self.shape is Shape.SIDECAR:
            node = f"sidecar~10.100.0.{number}~load-{number}.{namespace}~{namespace}.svc.cluster.local"
            return read_proxy(NodeInfo(node, metadata={"NAMESPACE": namespace, "LABELS": labels}))
        labels = {"istio": "ingressgateway"}
        node = f"router~10.100.0.{number}~istio-ingressgateway-{number}.istio-system~istio-system.svc.cluster.local"
        return read_proxy(NodeInfo(node, metadata={"NAMESPACE": "istio-system", "LABELS": labels}))

    def serve(self, proxy: DeclaredProxy) -> Cost:
        """Return what it costs to bring a proxy up to date."""
        return self._timed(lambda: self._serve(proxy))

    def change(self, *objects: RawObject) -> Cost:
        """Return what it costs to apply objects and to bring every proxy served so far up to date."""
        changes = decoded(objects)

        def act() -> None:
            self._pipeline.apply(changes)
            for proxy in self._served:
                self._serve(proxy)

        return self._timed(act)

    def resources(self) -> int:
        """Return how many resources the first proxy holds."""
        served = next(iter(self._served.values()))
        return sum(len(resources) for resources in served.state.resources.values())

    def _serve(self, proxy: DeclaredProxy) -> None:
        for _ in self._pipeline.prepare(proxy):
            self._garbage.tick()
        self._served[proxy] = self._pipeline.serve(proxy, self._served.get(proxy))

    def _timed(self, act: Callable[[], object]) -> Cost:
        start = time.thread_time()
        act()
        return Cost(time.thread_time() - start, dict(self._pipeline.take_statistics().recomputed))

    def _objects(self) -> Iterator[RawObject]:
        mesh = self.mesh
        match self.shape:
            case Shape.SIDECAR:
                yield from mesh.objects()
            case Shape.GATEWAY_HOSTS:
                yield gateway(GATEWAY, ["*"])
                for number in range(mesh.services):
                    yield mesh.service_entry(number)
                    yield self.host_route(number, 80)
            case Shape.GATEWAY_HOSTS_TEN:
                yield gateway(GATEWAY, ["*"])
                yield mesh.service_entry(0)
                yield from (self.route(number, 1) for number in range(mesh.services))
            case Shape.GATEWAY_SHARED | Shape.GATEWAY_SHARED_TEN:
                yield gateway(GATEWAY, [SHARED_HOST])
                yield mesh.service_entry(0)
                yield from (self.route(number, 1) for number in range(mesh.services))
            case _:
                assert_never(self.shape)

    def route(self, number: int, changed: int) -> RawObject:
        """Return one of the VirtualServices of a gateway; ``changed`` makes it another one than before."""
        match self.shape:
            case Shape.SIDECAR | Shape.GATEWAY_HOSTS:
                return self.host_route(number, changed)
            case Shape.GATEWAY_SHARED:
                return self.shared_route(number, changed)
            case Shape.GATEWAY_SHARED_TEN:
                return self.shared_route(number, changed, TEN)
            case Shape.GATEWAY_HOSTS_TEN:
                return path_route(number, self.mesh.host(number), GATEWAY, self.mesh.host(0), changed, TEN)
            case _:
                assert_never(self.shape)

    def host_route(self, number: int, weight: int) -> RawObject:
        """Return the VirtualService of a service, bound to the gateway."""
        document = self.mesh.virtual_service(number, weight)
        spec = {name: value for name, value in document["spec"].items() if name != "exportTo"}
        return {**document, "spec": {**spec, "gateways": [f"istio-system/{GATEWAY}"]}}

    def shared_route(self, number: int, seconds: int, rules: int = 6) -> RawObject:
        """Return one of the VirtualServices that share a host; ``seconds`` is its timeout."""
        return path_route(number, SHARED_HOST, GATEWAY, self.mesh.host(0), seconds, rules)


def decoded(objects: Iterable[RawObject]) -> list[tuple[str, Change]]:
    """Return the changes that put objects."""
    found: list[tuple[str, Change]] = []
    for document in objects:
        change = decode(document)
        assert not isinstance(change, Skipped), document
        found.append((SOURCE, change))
    return found


def median(costs: Iterable[Cost]) -> Cost:
    """Return the cost in the middle."""
    every = list(costs)
    return min(every, key=lambda cost: abs(cost.seconds - statistics.median(other.seconds for other in every)))


def sidecar_figures(size: int, repetitions: int) -> dict[str, Any]:
    """Return the figures of a sidecar among ``size`` services, as JSON values by step."""
    with Bench(Shape.SIDECAR, size) as bench:
        return _json(bench, _sidecar_costs(bench, range(1, repetitions + 1), size))


def _sidecar_costs(bench: Bench, times: range, size: int) -> dict[str, Cost]:
    mesh, colds = bench.mesh, _colds(bench)
    figures = {name: median(cost[name] for cost in colds) for name in ("apply", "cold")}
    figures["warm"] = bench.serve(bench.proxy(number=2))  # another proxy of the same view
    figures["endpoint"] = median(bench.change(mesh.service_entry(mesh.public(n), {3: f"10.250.{n}.1"})) for n in times)
    figures["weight"] = median(bench.change(mesh.virtual_service(mesh.public(n), 30 + n)) for n in times)
    figures["subset"] = median(bench.change(mesh.destination_rule(mesh.public(n), f"more{n}")) for n in times)
    figures["service"] = median(bench.change(*mesh.service(size + n)) for n in times)
    figures["annotation"] = median(bench.change(mesh.virtual_service(mesh.public(20), note=str(n))) for n in times)
    figures["further_view"] = median(bench.serve(bench.proxy(f"team-{number}")) for number in range(2, VIEWS + 1))
    figures["weight_in_views"] = median(bench.change(mesh.virtual_service(mesh.public(n), 60 + n)) for n in times)
    figures["endpoint_in_views"] = median(bench.change(mesh.service_entry(mesh.public(n), {3: f"10.251.{n}.1"})) for n in times)
    return figures


def gateway_figures(shape: Shape, size: int, repetitions: int) -> dict[str, Any]:
    """Return the figures of a gateway, as JSON values by step."""
    with Bench(shape, size) as bench:
        return _json(bench, _gateway_costs(bench, range(1, repetitions + 1)))


def _gateway_costs(bench: Bench, times: range) -> dict[str, Cost]:
    colds = _colds(bench)
    figures = {name: median(cost[name] for cost in colds) for name in ("apply", "cold")}
    figures["warm"] = bench.serve(bench.proxy(number=2))
    figures["route"] = median(bench.change(bench.route(n, 20 + n)) for n in times)
    figures["endpoint"] = median(bench.change(bench.mesh.service_entry(0, {3: f"10.250.{n}.1"})) for n in times)
    return figures


def _colds(bench: Bench) -> list[dict[str, Cost]]:
    """Return what compiling cold costs, three times; the bench stays as the last left it."""
    return [bench.cold() for _ in range(3)]


def _json(bench: Bench, figures: dict[str, Cost]) -> dict[str, Any]:
    cold = figures["cold"].seconds
    steps = {name: cost.to_json() | {"of_cold": round(cost.seconds / cold, 6)} for name, cost in figures.items()}
    return {"resources": bench.resources(), "steps": steps}
