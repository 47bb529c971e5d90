"""Tests of networks and their gateways."""

from __future__ import annotations

from meshctl_operator.model.networks import NetworkGateway, PodNetworks, network_gateways, pod_networks
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
    assert mesh.evaluate(pod_networks) == PodNetworks()
    mesh.add("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system, labels: {topology.istio.io/network: n1}}\n")
    assert mesh.evaluate(pod_networks).of("10.0.0.1") == "n1"


NETWORKS = {
    "networks": {
        "near": {
            "endpoints": [{"fromCidr": "10.0.0.0/16"}, {"fromCidr": "no range"}],
            "gateways": [{"registryServiceName": "one.istio-system.svc.cluster.local", "port": 443}],
        },
        "far": {"endpoints": [{"fromCidr": "10.1.0.0/16"}], "gateways": [{"address": "203.0.113.7"}, {"address": "far.example.com"}]},
    }
}


def test_networks_of_the_settings() -> None:
    """Gateways are addresses, or services by their external ones; pods are told apart by ranges. Host names cannot be endpoints."""
    mesh = TextMesh(gateway("one", "{}"), meshNetworks=NETWORKS)
    assert mesh.evaluate(network_gateways) == (
        NetworkGateway("far", "203.0.113.7", 15443),
        NetworkGateway("near", "203.0.113.1", 443),
        NetworkGateway("near", "203.0.113.9", 443),
    )
    pods = mesh.evaluate(pod_networks)
    assert [pods.of(address) for address in ("10.0.0.1", "10.1.0.1", "10.2.0.1")] == ["near", "far", ""]


def test_a_registry_is_one_network() -> None:
    """What the settings say of the whole cluster comes before ranges, and after what its root namespace says."""
    settings = {"networks": {"n": {"endpoints": [{"fromCidr": "10.0.0.0/8"}]}, "all": {"endpoints": [{"fromRegistry": "Kubernetes"}]}}}
    mesh = TextMesh("", meshNetworks=settings)
    assert mesh.evaluate(pod_networks).of("10.0.0.1") == "all"
    mesh.add("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system, labels: {topology.istio.io/network: n1}}\n")
    assert mesh.evaluate(pod_networks).of("10.0.0.1") == "n1"
