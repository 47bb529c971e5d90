"""Metrics are named and typed for Prometheus."""

from __future__ import annotations

from meshctl_operator.controlplane.telemetry import Telemetry


def test_series_have_our_prefix_and_no_proxy_label() -> None:
    """The number of series must not grow with the mesh."""
    telemetry = Telemetry()
    telemetry.nacks.labels("LDS").inc()
    text = telemetry.exposition().decode()
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert all(name.startswith("meshctl_") for name in names)
    assert 'meshctl_nacks_total{type="LDS"} 1.0' in text
    assert "proxy=" not in text


def test_two_control_planes_do_not_mix() -> None:
    """Each has a registry of its own."""
    one, two = Telemetry(), Telemetry()
    one.proxies.set(3)
    assert b"meshctl_connected_proxies 0.0" in two.exposition()
