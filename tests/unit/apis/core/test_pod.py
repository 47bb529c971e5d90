"""The view of Pod."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.core.pod import PodSpec


@pytest.mark.parametrize(
    ("status", "addresses"),
    [
        ({"podIP": "10.0.0.1"}, ("10.0.0.1",)),
        ({"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ("10.0.0.1", "fd00::1")),
        ({}, ()),
    ],
)
def test_addresses(status: dict[str, object], addresses: tuple[str, ...]) -> None:
    """Addresses come from podIPs, then podIP."""
    assert PodSpec.model_validate({"status": status}).addresses == addresses


def test_native_sidecars_serve_as_well() -> None:
    """An init container that is restarted always runs beside the containers; one that ends does not."""
    init = [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}]
    spec = PodSpec.model_validate({"containers": [{"name": "app"}], "initContainers": init})
    assert [container.name for container in spec.serving_containers] == ["app", "proxy"]


@pytest.mark.parametrize(
    ("conditions", "ready"), [([{"type": "Ready", "status": "True"}], True), ([{"type": "Ready", "status": "False"}], False), ([], False)]
)
def test_readiness(conditions: list[dict[str, str]], ready: bool) -> None:  # noqa: FBT001  (a column of the table)
    """A pod is ready when its condition says so."""
    assert PodSpec.model_validate({"status": {"conditions": conditions}}).is_ready is ready
