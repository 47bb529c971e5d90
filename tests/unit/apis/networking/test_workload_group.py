"""Structure of WorkloadGroup."""

from __future__ import annotations

from meshctl_operator.apis.networking.workload_group import WorkloadGroupSpec
from tests.support.documents import spec_of


def test_command_probe() -> None:
    """The field exec keeps Istio's name in YAML."""
    spec: WorkloadGroupSpec = spec_of("WorkloadGroup", "{template: {}, probe: {exec: {command: [check, -v]}}}")
    assert spec.probe is not None
    assert spec.probe.exec_ is not None
    assert spec.probe.exec_.command == ("check", "-v")
