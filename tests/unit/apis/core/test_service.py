"""The view of Service."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.core.service import ServiceSpec
from meshctl_operator.apis.decode import decode


@pytest.mark.parametrize(
    ("spec", "addresses", "headless"),
    [
        ({"clusterIP": "10.0.0.1"}, ("10.0.0.1",), False),
        ({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]}, ("10.0.0.1", "fd00::1"), False),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, (), True),
        ({}, (), False),
    ],
)
def test_addresses(spec: dict[str, object], addresses: tuple[str, ...], headless: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Virtual addresses come from clusterIPs, then clusterIP; a headless service has none."""
    service = ServiceSpec.model_validate(spec)
    assert (service.addresses, service.is_headless) == (addresses, headless)


def test_address_that_is_none() -> None:
    """What is no address is refused, with its place; without rules the Service has no address."""
    document = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"clusterIP": "a.b", "clusterIPs": ["10.0.0.1", "x"]},
    }
    refused = decode(document)
    assert isinstance(refused, Rejected)
    assert [(found.path, found.message) for found in refused.diagnostics] == [
        ("spec.clusterIP", '"a.b" is no IP address'),
        ("spec.clusterIPs[1]", '"x" is no IP address'),
    ]
    kept = decode(document, validate=False)
    assert isinstance(kept, Upsert)
    assert kept.object.spec.addresses == ("10.0.0.1",)


def test_ports() -> None:
    """A target port is a number or a name."""
    spec = ServiceSpec.model_validate(
        {"ports": [{"port": 80, "targetPort": "http", "appProtocol": "grpc"}, {"port": 81, "targetPort": 8081}]}
    )
    assert [(port.target_port, port.app_protocol, port.protocol) for port in spec.ports] == [("http", "grpc", "TCP"), (8081, None, "TCP")]
