"""Each object is filed where its readers look."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.registry.cells import PARTIAL_WILDCARDS, Cell, Table, cells_of, mentioned_labels, resolve_gateway, resolve_gateways


def cells(raw: dict[str, Any]) -> set[Cell]:
    """Return the cells of a raw object."""
    decoded = decode(raw)
    assert isinstance(decoded, Upsert), decoded
    return set(cells_of(decoded.object, "cluster.local"))


def obj(kind: str, spec: dict[str, Any], api: str = "networking.istio.io/v1", **meta: Any) -> dict[str, Any]:
    """Build a raw object named ``x`` in namespace ``shop``."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": "shop", **meta}, "spec": spec}


ROUTE = [{"route": [{"destination": {"host": "reviews"}}]}]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            obj("Service", {"ports": [{"port": 80}]}, api="v1"),
            {
                (Table.OBJECT, ObjectKey("Service", "shop", "x")),
                (Table.SERVICES, "*"),
                (Table.SERVICES, "x.shop.svc.cluster.local"),
                (Table.SERVICES_OF_NAMESPACE, "shop"),
            },
        ),
        (
            obj("DestinationRule", {"host": "reviews"}),
            {
                (Table.OBJECT, ObjectKey("DestinationRule", "shop", "x")),
                (Table.RULES, "*"),
                (Table.RULES, "reviews.shop.svc.cluster.local"),
                (Table.DESTINATION_RULES, ("shop", "reviews.shop.svc.cluster.local")),
            },
        ),
        (
            obj("DestinationRule", {"host": "*-a.com"}),
            {
                (Table.OBJECT, ObjectKey("DestinationRule", "shop", "x")),
                (Table.RULES, "*"),
                (Table.RULES, PARTIAL_WILDCARDS),
                (Table.DESTINATION_RULES, ("shop", "*-a.com")),
                (Table.DESTINATION_RULES, ("shop", PARTIAL_WILDCARDS)),
            },
        ),
        (
            obj("VirtualService", {"hosts": ["reviews"], "gateways": ["mesh", "gw", "other/gw"], "http": ROUTE}),
            {
                (Table.OBJECT, ObjectKey("VirtualService", "shop", "x")),
                (Table.VIRTUAL_SERVICES, "*"),
                (Table.VIRTUAL_SERVICES, "mesh"),
                (Table.VIRTUAL_SERVICES, "shop/gw"),
                (Table.VIRTUAL_SERVICES, "other/gw"),
                (Table.MESH_HOSTS, "reviews.shop.svc.cluster.local"),
            },
        ),
        (obj("VirtualService", {"http": ROUTE}), {(Table.OBJECT, ObjectKey("VirtualService", "shop", "x")), (Table.VIRTUAL_SERVICES, "*")}),
        (
            obj("Deployment", {"template": {"metadata": {"labels": {"app": "x"}}}}, api="apps/v1"),
            {
                (Table.OBJECT, ObjectKey("Deployment", "shop", "x")),
                (Table.WORKLOADS, ("shop", "", "")),
                (Table.WORKLOADS, ("shop", "app", "x")),
            },
        ),
    ],
    ids=["service", "destination-rule", "destination-rule-partial-wildcard", "virtual-service", "delegate", "deployment"],
)
def test_filed_under(raw: dict[str, Any], expected: set[tuple[Table, object]]) -> None:
    """The cells of an object are exactly those by which it is read."""
    assert cells(raw) == expected


def test_pods_are_filed_by_label_and_address() -> None:
    """A pod is found by each of its labels and by its address."""
    raw = obj("Pod", {}, api="v1", labels={"app": "x"}) | {"status": {"podIP": "10.0.0.1"}}
    assert cells(raw) >= {
        Cell(Table.WORKLOADS, ("shop", "", "")),
        Cell(Table.WORKLOADS, ("shop", "app", "x")),
        Cell(Table.PODS_BY_IP, ("shop", "10.0.0.1")),
    }


def test_endpoint_slices_are_filed_under_their_service() -> None:
    """A slice belongs to the Service that its label names."""
    raw = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "x-abc", "namespace": "shop", "labels": {"kubernetes.io/service-name": "x"}},
        "addressType": "IPv4",
        "endpoints": [],
        "ports": [],
    }
    assert Cell(Table.ENDPOINT_SLICES, ("shop", "x")) in cells(raw)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mesh", "mesh"), ("gw", "shop/gw"), ("./gw", "shop/gw"), ("other/gw", "other/gw"), ("gw.other.svc.cluster.local", "other/gw")],
)
def test_gateway_names(name: str, expected: str) -> None:
    """Every form of a gateway name has one resolved form."""
    assert resolve_gateway(name, "shop") == expected


def test_no_gateway_means_the_mesh() -> None:
    """A VirtualService without gateways is for the mesh; a gateway named twice counts once."""
    assert resolve_gateways((), "shop") == ("mesh",)
    assert resolve_gateways(("gw", "shop/gw"), "shop") == ("shop/gw",)


def test_mentioned_labels() -> None:
    """Labels that an object tells proxies apart by are found, and file it under the mentions."""
    raw = obj("VirtualService", {"hosts": ["a"], "http": [{"match": [{"sourceLabels": {"app": "x"}}], **ROUTE[0]}]})
    decoded = decode(raw)
    assert isinstance(decoded, Upsert)
    assert mentioned_labels(decoded.object) == {"app"}
    assert Cell(Table.LABEL_MENTIONS, "*") in cells(raw)
