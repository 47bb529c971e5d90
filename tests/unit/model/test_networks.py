"""Tests of networks and their gateways."""

from __future__ import annotations

from meshctl_operator.model.networks import NetworkGateway, default_network, network_gateways
from tests.support.mesh_text import TextMesh


def gateway(name: str, labels: str, status: str = "{loadBalancer: {ingress: [{ip: 203.0.113.1}, {hostname: a.example.com}]}}") -> str:
    """Return a Service that leads into a network."""
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: istio-system, labels: {labels}}}
spec: {{clusterIP: 10.0.0.9, externalIPs: [203.0.113.9], ports: [{{name: tls, port: 15443}}]}}
status: {status}
"""


def test_gateways() -> None:
    """A Service that says which network is its own leads into it, by its external IPs, and by its label for the port."""
    text = gateway("one", "{topology.istio.io/network: n1}") + gateway(
        "two", '{topology.istio.io/network: n2, networking.istio.io/gatewayPort: "443"}', "{}"
    )
    assert TextMesh(text + gateway("three", "{}")).evaluate(network_gateways) == (
        NetworkGateway("n1", "203.0.113.1", 15443),
        NetworkGateway("n1", "203.0.113.9", 15443),
        NetworkGateway("n2", "203.0.113.9", 443),
    )


def test_default_network() -> None:
    """The root namespace says what network pods are in."""
    mesh = TextMesh("")
    assert mesh.evaluate(default_network) == ""
    mesh.add("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system, labels: {topology.istio.io/network: n1}}\n")
    assert mesh.evaluate(default_network) == "n1"
