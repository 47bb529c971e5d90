"""One proxy's configuration is complete in itself and carries where it came from."""

from __future__ import annotations

import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.compiler.emit import resources as emit
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.xds.resources import TypeUrl
from tests.support.mesh_text import TextMesh

SHOP = """
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: cart}, ports: [{port: 80, name: http, targetPort: 8080}]}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {selector: {istio: ingress}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: ["*"], gateways: [edge], http: [{route: [{destination: {host: cart}}]}]}
"""
SIDECAR = Proxy(ProxyRole.SIDECAR, "cart-1", "shop", ("10.0.0.1",), freeze({"app": "cart"}), dns_domain="shop.svc.cluster.local")
GATEWAY = Proxy(ProxyRole.ROUTER, "gw-1", "edge", ("10.0.0.9",), freeze({"istio": "ingress"}), dns_domain="edge.svc.cluster.local")


def names(mesh: TextMesh, proxy: Proxy, type_url: TypeUrl) -> list[str]:
    """Return the names of one type."""
    return list(mesh.evaluate(compile_proxy, proxy).resources[type_url])


def test_a_sidecar_has_both_directions() -> None:
    """Outbound and inbound clusters and listeners, and a route configuration for each that a listener asks for."""
    mesh = TextMesh(SHOP)
    assert {"outbound|80||cart.shop.svc.cluster.local", "inbound|8080||"} <= set(names(mesh, SIDECAR, emit.CLUSTER_TYPE))
    assert {"0.0.0.0_80", "virtualOutbound", "virtualInbound"} <= set(names(mesh, SIDECAR, emit.LISTENER_TYPE))
    assert names(mesh, SIDECAR, emit.ROUTE_TYPE) == ["80"]
    assert names(mesh, SIDECAR, emit.ENDPOINT_TYPE) == ["outbound|80||cart.shop.svc.cluster.local"]


def test_a_sidecar_does_not_listen_on_its_own_address() -> None:
    """An endpoint of a headless service has listeners for the other endpoints, not for itself."""
    mesh = TextMesh("""
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432, name: tcp}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: shop, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 5432}]
endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]
""")
    assert names(mesh, SIDECAR, emit.LISTENER_TYPE) == ["10.0.0.2_5432", "virtualInbound", "virtualOutbound"]


def test_a_gateway_has_what_its_gateways_open() -> None:
    """Its listener, its routes, and no inbound side."""
    mesh = TextMesh(SHOP)
    assert names(mesh, GATEWAY, emit.LISTENER_TYPE) == ["0.0.0.0_80"]
    assert names(mesh, GATEWAY, emit.ROUTE_TYPE) == ["http.80"]
    assert not [name for name in names(mesh, GATEWAY, emit.CLUSTER_TYPE) if name.startswith("inbound")]


@pytest.mark.parametrize("proxy", [SIDECAR, GATEWAY], ids=["sidecar", "gateway"])
def test_names_are_in_order(proxy: Proxy) -> None:
    """Order is part of the output: by name in each type."""
    compiled = TextMesh(SHOP).evaluate(compile_proxy, proxy)
    for resources in compiled.resources.values():
        assert list(resources) == sorted(resources)


def test_provenance_names_the_objects() -> None:
    """A route configuration knows the Gateway, the VirtualService and the Service behind it."""
    compiled = TextMesh(SHOP).evaluate(compile_proxy, GATEWAY)
    assert compiled.resources[emit.ROUTE_TYPE]["http.80"].provenance == (
        ObjectKey("Gateway", "shop", "edge"),
        ObjectKey("Service", "shop", "cart"),
        ObjectKey("VirtualService", "shop", "cart"),
    )


def test_an_unrelated_change_gives_the_same_resources() -> None:
    """What a change does not reach is the same object as before, not only an equal one."""
    mesh = TextMesh(SHOP)
    before = mesh.evaluate(compile_proxy, GATEWAY).resources
    mesh.add("{apiVersion: v1, kind: Service, metadata: {name: new, namespace: shop}, spec: {ports: [{port: 99, name: tcp}]}}")
    after = mesh.evaluate(compile_proxy, GATEWAY).resources
    for type_url, resources in before.items():
        for name, resource in resources.items():
            assert after[type_url][name] is resource
