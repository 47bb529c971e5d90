"""TCP proxies from rules and services."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.networking.virtual_service import L4MatchAttributes, RouteDestination
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.listeners import TcpProxyInput
from meshctl_operator.compiler.plan.tcp_routes import L4Client, L4Rule, address_ranges, passes, plain_proxy, routed_proxy, server_names
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.services import service
from tests.support.mesh_text import TextMesh

VS = ObjectKey("VirtualService", "default", "vs")
SERVICES = """
apiVersion: v1
kind: Service
metadata: {name: one, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: tcp, port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: two, namespace: default}
spec: {clusterIP: 10.0.0.2, ports: [{name: tcp, port: 1}, {name: tcp2, port: 2}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: one, namespace: default}
spec: {host: one, subsets: [{name: v1, labels: {version: v1}}]}
"""
ONE, TWO = "one.default.svc.cluster.local", "two.default.svc.cluster.local"


def client(gateway: str = "mesh", port: int = 9000) -> L4Client:
    """Return a client without services."""
    return L4Client("default", freeze({"app": "x"}), gateway, port, lambda _host: None)


@pytest.mark.parametrize(
    ("match", "gateway", "expected"),
    [
        ({}, "mesh", True),
        ({"port": 9000}, "mesh", True),
        ({"port": 1}, "mesh", False),
        ({"sourceLabels": {"app": "x"}}, "mesh", True),
        ({"sourceLabels": {"app": "y"}}, "mesh", False),
        ({"sourceLabels": {"app": "y"}}, "default/gw", True),
        ({"sourceNamespace": "default"}, "mesh", True),
        ({"sourceNamespace": "other"}, "mesh", False),
        ({"sourceNamespace": "other"}, "default/gw", True),
        ({"gateways": ["gw"]}, "mesh", False),
        ({"gateways": ["gw", "mesh"]}, "mesh", True),
        ({"gateways": ["gw"]}, "default/gw", True),
        ({"gateways": ["other/gw"]}, "default/gw", False),
        ({"gateways": ["mesh"], "port": 1}, "mesh", False),
    ],
)
def test_passes(match: dict[str, object], gateway: str, *, expected: bool) -> None:
    """Every static condition must hold; those about the sender mean nothing at a gateway."""
    assert passes(L4MatchAttributes.model_validate(match), client(gateway), "default") is expected


def _routed(ctx: Context, destinations: tuple[tuple[str, str, int, int], ...]) -> tuple[TcpProxyInput | None, tuple[Diagnostic, ...]]:
    found: list[Diagnostic] = []
    routes = tuple(
        RouteDestination.model_validate(
            {"destination": {"host": host, "subset": subset, **({"port": {"number": port}} if port else {})}, "weight": weight}
        )
        for host, subset, port, weight in destinations
    )
    caller = L4Client("default", (), "mesh", 9000, lambda host: service(ctx, "default", host))
    planned = routed_proxy(ctx, caller, L4Rule(VS, "spec.tcp[0]", routes), protocol=Protocol.TCP, access_log=None, found=found)
    return (planned[0] if planned else None), tuple(found)


@pytest.mark.parametrize(
    ("destination", "cluster", "codes"),
    [
        ((ONE, "", 0, 0), f"outbound|5432||{ONE}", []),
        ((ONE, "", 5432, 0), f"outbound|5432||{ONE}", []),
        ((ONE, "", 1, 0), f"outbound|1||{ONE}", ["MC2203"]),
        ((ONE, "v1", 0, 0), f"outbound|5432|v1|{ONE}", []),
        ((ONE, "v2", 0, 0), f"outbound|5432|v2|{ONE}", ["MC2202"]),
        ((TWO, "", 0, 0), f"outbound|9000||{TWO}", ["MC2204"]),
        (("no.example.com", "", 0, 0), "outbound|9000||no.example.com", ["MC2201"]),
        (("no.example.com", "", 7, 0), "outbound|7||no.example.com", ["MC2201"]),
    ],
)
def test_destinations(destination: tuple[str, str, int, int], cluster: str, codes: list[str]) -> None:
    """The port is the one named, the only one of the service, or the one called on; what does not exist is reported and named anyway."""
    proxy, found = TextMesh(SERVICES).evaluate(_routed, (destination,))
    assert proxy == TcpProxyInput(cluster, ((cluster, 1),))
    assert [finding.code for finding in found] == codes
    assert all(finding.path.startswith("spec.tcp[0].route[0].destination") for finding in found)


def test_unknown_service_behind_an_alias() -> None:
    """A destination that is an ExternalName Service has the cluster of what it names, even where that is no service of the mesh."""
    alias = "{apiVersion: v1, kind: Service, metadata: {name: away, namespace: default}, spec: {type: ExternalName, externalName: db.example.com}}"
    proxy, _ = TextMesh(alias).evaluate(_routed, (("away.default.svc.cluster.local", "", 0, 1),))
    assert proxy is not None
    assert proxy.clusters == (("outbound|9000||db.example.com", 1),)


def test_weights() -> None:
    """Weights are kept, zero ones left out; equal clusters are added up."""
    proxy, found = TextMesh(SERVICES).evaluate(_routed, ((ONE, "", 0, 50), (ONE, "v1", 0, 0), (ONE, "v1", 0, 30), (ONE, "v1", 0, 20)))
    assert proxy == TcpProxyInput("vs.default", ((f"outbound|5432||{ONE}", 50), (f"outbound|5432|v1|{ONE}", 50)))
    assert found == ()


@pytest.mark.parametrize("destinations", [(), ((ONE, "", 0, 0), (TWO, "", 1, 0))])
def test_nothing_left(destinations: tuple[tuple[str, str, int, int], ...]) -> None:
    """A rule without destination, or with weights of 0 only, has no proxy and an error."""
    proxy, found = TextMesh(SERVICES).evaluate(_routed, destinations)
    assert proxy is None
    assert [finding.code for finding in found] == ["MC2283"]


def test_plain_proxy() -> None:
    """A cluster that stands for itself gives its name to the statistics."""
    assert plain_proxy("BlackHoleCluster", None) == TcpProxyInput("BlackHoleCluster", (("BlackHoleCluster", 1),))


@pytest.mark.parametrize(
    ("hosts", "expected", "findings"),
    [
        (["b.com", "A.com", "a.com"], ("a.com", "b.com"), 0),
        (["a.com", "*"], (), 0),
        (["*.a.com"], ("*.a.com",), 0),
        (["*-a.com", "b.com"], ("b.com",), 1),
        (["*a.com"], None, 1),
        ([], None, 0),
    ],
)
def test_server_names(hosts: list[str], expected: tuple[str, ...] | None, findings: int) -> None:
    """Names are sorted in lower case; ``*`` matches every connection; partial wildcards are reported."""
    found: list[Diagnostic] = []
    assert server_names(hosts, VS, "spec.tls[0].match[0].sniHosts", found) == expected
    assert [finding.code for finding in found] == ["MC2110"] * findings


@pytest.mark.parametrize(
    ("subnets", "expected", "findings"),
    [
        (["10.1.2.3", "10.0.0.1/8"], ("10.0.0.0/8", "10.1.2.3/32"), 0),
        (["0.0.0.0/0"], (), 0),
        (["::/0", "10.0.0.0/8"], (), 0),
        (["10.0.0.0/33"], None, 1),
        (["fd00::1"], ("fd00::1/128",), 0),
    ],
)
def test_address_ranges(subnets: list[str], expected: tuple[str, ...] | None, findings: int) -> None:
    """Addresses and ranges become CIDRs; every address needs no match; nonsense is reported."""
    found: list[Diagnostic] = []
    assert address_ranges(subnets, VS, "spec.tcp[0].match[0].destinationSubnets", found) == expected
    assert [finding.code for finding in found] == ["MC2284"] * findings
