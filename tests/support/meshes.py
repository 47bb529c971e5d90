"""Raw config objects for tests of the whole pipeline: as short as a line of YAML."""

from __future__ import annotations

from typing import Any

RawObject = dict[str, Any]


def istio(kind: str, name: str, spec: RawObject, namespace: str = "default") -> RawObject:
    """Return a routing object."""
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def service(name: str, port: int = 9080, namespace: str = "default", **spec: object) -> RawObject:
    """Return a Service with one HTTP port that selects ``app: NAME``."""
    ports = [{"name": "http", "port": port}]
    body = {"clusterIP": "10.96.0.1", "selector": {"app": name}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": body}


def endpoints(name: str, *addresses: str, port: int = 9080, namespace: str = "default") -> RawObject:
    """Return the EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": namespace, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in addresses],
    }


def virtual_service(name: str, destination: str, *, hosts: tuple[str, ...] = (), subset: str | None = None) -> RawObject:
    """Return a VirtualService that sends everything to one destination."""
    target = {"host": destination} | ({"subset": subset} if subset else {})
    return istio("VirtualService", name, {"hosts": list(hosts) or [name], "http": [{"route": [{"destination": target}]}]})
