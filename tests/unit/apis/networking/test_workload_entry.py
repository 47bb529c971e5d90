"""Structure of WorkloadEntry."""

from __future__ import annotations

from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from tests.support.documents import spec_of


def test_ports_are_by_name() -> None:
    """Ports are a map from names of service ports to numbers."""
    spec: WorkloadEntrySpec = spec_of("WorkloadEntry", "{address: 10.0.0.1, ports: {http: 8080, grpc: '9090'}, weight: 3}")
    assert (spec.ports, spec.weight, spec.service_account) == ({"http": 8080, "grpc": 9090}, 3, "")
