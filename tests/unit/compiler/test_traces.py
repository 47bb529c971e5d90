"""A compiled resource is found by its name, wherever it is kept."""

from __future__ import annotations

import json

import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.compiler.traces import compiled_resources
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.xds.resources import TypeUrl
from tests.support.key_pairs import key_pair
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
spec:
  selector: {istio: ingress}
  servers:
  - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["*"], tls: {mode: SIMPLE, credentialName: pair}}
"""
PAIR = json.dumps({name: part.decode() for name, part in zip(("tls.crt", "tls.key"), key_pair(), strict=True)})
SHOP += f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: pair, namespace: edge}}\ntype: kubernetes.io/tls\nstringData: {PAIR}\n"
SIDECAR = Proxy(ProxyRole.SIDECAR, "cart-1", "shop", ("10.0.0.1",), freeze({"app": "cart"}), dns_domain="shop.svc.cluster.local")
GATEWAY = Proxy(ProxyRole.ROUTER, "gw-1", "edge", ("10.0.0.9",), freeze({"istio": "ingress"}), dns_domain="edge.svc.cluster.local")


@pytest.mark.parametrize("proxy", [SIDECAR, GATEWAY], ids=["sidecar", "gateway"])
def test_everything_that_is_served_is_found(proxy: Proxy) -> None:
    """Each resource of each type, as the very object, with a derivation whose causes the engine knows."""
    mesh = TextMesh(SHOP)
    for type_url, resources in mesh.evaluate(compile_proxy, proxy).resources.items():
        for name, resource in resources.items():
            ((fn, params),) = [key for key, found in compiled_resources(mesh, name) if found is resource]
            assert mesh.causes(fn, *params), (type_url, name)


def test_the_gateway_has_a_secret() -> None:
    """Or the test above would say nothing about secrets."""
    assert list(TextMesh(SHOP).evaluate(compile_proxy, GATEWAY).resources[TypeUrl.SECRET]) == ["kubernetes://pair"]


def test_a_name_that_nothing_has() -> None:
    """There is nothing to tell."""
    mesh = TextMesh(SHOP)
    mesh.evaluate(compile_proxy, SIDECAR)
    assert not list(compiled_resources(mesh, "nothing"))


def test_one_name_of_several_types() -> None:
    """A cluster and its endpoints have one name; both are found."""
    mesh = TextMesh(SHOP)
    mesh.evaluate(compile_proxy, SIDECAR)
    found = {resource.type_url for _, resource in compiled_resources(mesh, "outbound|80||cart.shop.svc.cluster.local")}
    assert found == {TypeUrl.CLUSTER, TypeUrl.ENDPOINT}
