"""The mesh that the load is put on: services with ten endpoints, a VirtualService and a DestinationRule each, as config objects.

Every service is a ServiceEntry, so that files are enough. Services are spread over 20 namespaces; the VirtualService of the first service
of each namespace is exported to its own namespace only, so that one of 20 clients sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

NAMESPACES: Final = 20
ENDPOINTS: Final = 10
PORT: Final = 8080
API: Final = "networking.istio.io/v1"
RawObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LoadMesh:
    """A mesh of a size. Each method returns an object or a fact of service number ``number``, from 0."""

    services: int
    namespaces: int = NAMESPACES

    def namespace(self, number: int) -> str:
        """Return the namespace of a service."""
        return f"team-{number % self.namespaces}"

    @property
    def all_namespaces(self) -> list[str]:
        """The namespaces, in the order of the services."""
        return [f"team-{number}" for number in range(self.namespaces)]

    def host(self, number: int) -> str:
        """Return the host of a service."""
        return f"shop-{number}.{self.namespace(number)}.mesh.internal"

    def public(self, number: int) -> int:
        """Return the number of the ``number``-th service whose VirtualService everybody sees, from the start again after the last."""
        return self.namespaces + number % (self.services - self.namespaces)

    def service_entry(self, number: int, addresses: Mapping[int, str] | None = None, note: str = "") -> RawObject:
        """Return the service; ``addresses`` replaces those of endpoints by their number."""
        changed = addresses or {}
        endpoints = [
            {
                "address": changed.get(index) or _address(number * ENDPOINTS + index),
                "labels": {"app": f"shop-{number}", "version": "v1" if index < ENDPOINTS // 2 else "v2"},
            }
            for index in range(ENDPOINTS)
        ]
        spec = {
            "hosts": [self.host(number)],
            "addresses": [f"172.{20 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": PORT, "name": "http", "protocol": "HTTP"}],
            "endpoints": endpoints,
        }
        return self._object("ServiceEntry", number, spec, note)

    def virtual_service(self, number: int, weight: int = 80, note: str = "") -> RawObject:
        """Return the routes: one by header, one by prefix that is split by ``weight``, and the rest."""
        host = self.host(number)

        def destination(subset: str) -> RawObject:
            return {"host": host, "port": {"number": PORT}, **({"subset": subset} if subset else {})}

        split = [{"destination": destination("v1"), "weight": weight}, {"destination": destination("v2"), "weight": 100 - weight}]
        spec: RawObject = {
            "hosts": [host],
            "http": [
                {"name": "canary", "match": [{"headers": {"x-canary": {"exact": "yes"}}}], "route": [{"destination": destination("v2")}]},
                {"name": "api", "match": [{"uri": {"prefix": "/api"}}], "timeout": "5s", "route": split},
                {"name": "rest", "route": [{"destination": destination("")}]},
            ],
        }
        if number < self.namespaces:
            spec["exportTo"] = ["."]
        return self._object("VirtualService", number, spec, note)

    def destination_rule(self, number: int, *more_subsets: str) -> RawObject:
        """Return the subsets v1 and v2, more of them if named, and a traffic policy."""
        versions = {"v1": "v1", "v2": "v2"} | dict.fromkeys(more_subsets, "v1")
        policy = {
            "connectionPool": {"tcp": {"maxConnections": 100, "connectTimeout": "2s"}, "http": {"http1MaxPendingRequests": 64}},
            "outlierDetection": {"consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s"},
        }
        subsets = [{"name": name, "labels": {"version": version}} for name, version in versions.items()]
        return self._object("DestinationRule", number, {"host": self.host(number), "trafficPolicy": policy, "subsets": subsets})

    def service(self, number: int) -> list[RawObject]:
        """Return all objects of a service."""
        return [self.service_entry(number), self.virtual_service(number), self.destination_rule(number)]

    def objects(self) -> Iterator[RawObject]:
        """Yield all objects of the mesh."""
        for number in range(self.services):
            yield from self.service(number)

    def weight_marker(self, number: int, weight: int) -> bytes:
        """Return how the weight of subset v1 lies on the wire: the end of ClusterWeight.name, then ClusterWeight.weight (UInt32Value)."""
        return self.host(number).encode() + b"\x12\x02\x08" + bytes([weight])

    def _object(self, kind: str, number: int, spec: RawObject, note: str = "") -> RawObject:
        meta: RawObject = {"name": f"shop-{number}", "namespace": self.namespace(number)}
        if note:
            meta["annotations"] = {"example.com/note": note}
        return {"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec}


def _address(number: int) -> str:
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def gateway(name: str, hosts: list[str]) -> RawObject:
    """Return a Gateway for plain HTTP on port 80."""
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": hosts}
    spec = {"selector": {"istio": "ingressgateway"}, "servers": [server]}
    return {"apiVersion": API, "kind": "Gateway", "metadata": {"name": name, "namespace": "istio-system"}, "spec": spec}


def path_route(number: int, host: str, gateway_name: str, destination: str, weight: int = 100, rules: int = 6) -> RawObject:
    """Return a VirtualService that adds prefixes of its own, one for each rule, to a host that many may share on a gateway."""
    routes = [
        {
            "match": [{"uri": {"prefix": f"/team-{number}/{index}"}}],
            "timeout": f"{weight}s",
            "route": [{"destination": {"host": destination, "port": {"number": PORT}}}],
        }
        for index in range(rules)
    ]
    meta = {"name": f"path-{number}", "namespace": "istio-system"}
    spec = {"hosts": [host], "gateways": [gateway_name], "http": routes}
    return {"apiVersion": API, "kind": "VirtualService", "metadata": meta, "spec": spec}
