"""What one service asks of the outbound listeners."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.plan.outbound_services import (
    Contribution,
    PortClass,
    headless_addresses,
    l4_virtual_services,
    port_class,
    service_contributions,
)
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.services import service
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh

VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")


@pytest.mark.parametrize(
    ("protocol", "kind"),
    [
        (Protocol.HTTP, PortClass.HTTP),
        (Protocol.GRPC, PortClass.HTTP),
        (Protocol.HTTPS, PortClass.TCP),
        (Protocol.MONGO, PortClass.TCP),
        (Protocol.UNSUPPORTED, PortClass.AUTO),
        (Protocol.UDP, None),
    ],
)
def test_port_class(protocol: Protocol, kind: PortClass | None) -> None:
    """A port is carried as HTTP, as TCP, by sniffing, or not at all."""
    assert port_class(protocol) is kind


def _contributions(ctx: Context, host: str) -> tuple[Contribution, ...]:
    found = service(ctx, "default", host)
    assert found is not None
    return service_contributions(ctx, VIEW, found).value


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ext, namespace: default}
spec:
  hosts: [ext.example.com]
  addresses: [%s]
  resolution: %s
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 5432, name: tcp, protocol: TCP}, {number: 7000, name: auto, protocol: ""}]
"""


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("", [("0.0.0.0", 80), ("0.0.0.0", 5432), ("0.0.0.0", 7000)]),
        ("1.2.3.4", [("0.0.0.0", 80), ("1.2.3.4", 5432), ("1.2.3.4", 7000)]),
        ("1.2.3.4, 10.0.0.0/8", [("0.0.0.0", 80), ("1.2.3.4", 5432), ("0.0.0.0", 5432), ("1.2.3.4", 7000), ("0.0.0.0", 7000)]),
    ],
)
@pytest.mark.parametrize("resolution", ["NONE", "STATIC"])
def test_addresses(addresses: str, resolution: str, expected: list[tuple[str, int]]) -> None:
    """HTTP shares the wildcard listener; TCP and sniffed ports listen on each address, or on the wildcard for ranges and for none."""
    found = TextMesh(ENTRY % (addresses, resolution)).evaluate(_contributions, "ext.example.com")
    assert [(item.address, item.port) for item in found] == expected


def test_routes_of_sniffed_ports() -> None:
    """The routes of a sniffed port are the service's own on a VIP, and those of the port on the wildcard."""
    for addresses, route in (("1.2.3.4", "ext.example.com:7000"), ("", "7000")):
        found = TextMesh(ENTRY % (addresses, "STATIC")).evaluate(_contributions, "ext.example.com")
        chains = next(item for item in found if item.port == 7000).chains
        assert getattr(chains[-1].network, "route", None) == route


def test_headless_addresses() -> None:
    """Only IPs that serve the port are listened on, each once and in order."""
    text = """
apiVersion: v1
kind: Service
metadata: {name: a, namespace: default}
spec: {clusterIP: None, selector: {app: a}, ports: [{name: tcp, port: 1}, {name: tcp2, port: 2}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: a-1, namespace: default, labels: {kubernetes.io/service-name: a}}
addressType: IPv4
ports: [{name: tcp, port: 1}]
endpoints: [{addresses: [10.1.0.5]}, {addresses: [10.1.0.4]}]
"""
    mesh, host = TextMesh(text), "a.default.svc.cluster.local"
    assert mesh.evaluate(headless_addresses, host, "default", "tcp") == ("10.1.0.4", "10.1.0.5")
    assert mesh.evaluate(headless_addresses, host, "default", "tcp2") == ()


def test_only_l4_rules_count() -> None:
    """VirtualServices that speak about HTTP alone change no listener."""
    text = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: default}
spec:
  hosts: [a]
  %s: [{route: [{destination: {host: a}}]}]
"""
    mesh = TextMesh(text % ("web", "http") + "---" + text % ("raw", "tcp"))
    assert [item.name for item in mesh.evaluate(l4_virtual_services, VIEW)] == ["raw"]
