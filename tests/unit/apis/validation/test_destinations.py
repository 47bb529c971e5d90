"""Rules of destinations and weights, which all kinds of routes share."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of

ACCEPTED = {
    "short name": "[{destination: {host: reviews}}]",
    "subset and port": "[{destination: {host: reviews.shop.svc.cluster.local, subset: v1, port: {number: 9080}}}]",
    "wildcard": "[{destination: {host: '*.a.com'}}]",
    "one destination without weight": "[{destination: {host: a}, weight: 0}]",
    "weights that sum up to 3": "[{destination: {host: a}, weight: 1}, {destination: {host: b}, weight: 2}]",
    "one weight of 0": "[{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 2}]",
}
REJECTED = {
    "no host": ("[{destination: {}}]", "MC1206", "[0].destination.host"),
    "star": ("[{destination: {host: '*'}}]", "MC1206", "[0].destination.host"),
    "address": ("[{destination: {host: 10.0.0.1}}]", "MC1206", "[0].destination.host"),
    "ipv6 address": ("[{destination: {host: '::1'}}]", "MC1206", "[0].destination.host"),
    "subset with a dot": ("[{destination: {host: a, subset: v.1}}]", "MC1206", "[0].destination.subset"),
    "empty port": ("[{destination: {host: a, port: {}}}]", "MC1021", "[0].destination.port.number"),
    "port too large": ("[{destination: {host: a, port: {number: 65536}}}]", "MC1021", "[0].destination.port.number"),
    "negative weight": ("[{destination: {host: a}, weight: -1}, {destination: {host: b}, weight: 1}]", "MC1203", "[0].weight"),
    "weights of 0": ("[{destination: {host: a}}, {destination: {host: b}}]", "MC1203", ""),
    "weights too large": (
        "[{destination: {host: a}, weight: 2147483647}, {destination: {host: b}, weight: 2147483647}, {destination: {host: c}, weight: 2}]",
        "MC1203",
        "",
    ),
    "no destination": ("[{weight: 1}]", "MC1007", "[0].destination"),
}


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@pytest.mark.parametrize("route", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(route: str, protocol: str) -> None:
    """What Istio's admission accepts, we accept, in every kind of route."""
    assert errors_of("VirtualService", f"{{hosts: [a], {protocol}: [{{route: {route}}}]}}") == []


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@pytest.mark.parametrize(("route", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(route: str, code: str, path: str, protocol: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("VirtualService", f"{{hosts: [a], {protocol}: [{{route: {route}}}]}}") == [(code, f"spec.{protocol}[0].route{path}")]
