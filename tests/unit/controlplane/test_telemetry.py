"""Metrics are named and typed for Prometheus."""

from __future__ import annotations

from meshctl_operator.controlplane.telemetry import Telemetry


def names(text: str) -> set[str]:
    """Return the names of the samples."""
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}


def test_series_have_our_prefix_and_no_proxy_label() -> None:
    """The number of series must not grow with the mesh."""
    telemetry = Telemetry()
    telemetry.nacks.of("LDS").inc()
    text = telemetry.exposition().decode()
    assert all(name.startswith(("meshctl_", "process_")) for name in names(text))
    assert 'meshctl_nacks_total{type="LDS"} 1.0' in text
    assert "proxy=" not in text
    assert {family.label for family in telemetry.families()} <= {
        "",
        "kind",
        "type",
        "cause",
        "protocol",
        "node",
        "severity",
        "source",
        "generation",
    }


def test_memory_and_cpu_of_the_process_are_there() -> None:
    """Under the names that every client library of Prometheus gives them."""
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "meshctl_build_info"} <= names(Telemetry().exposition().decode())


def test_two_control_planes_do_not_mix() -> None:
    """Each has series of its own."""
    one, two = Telemetry(), Telemetry()
    one.objects.set(3)
    assert b"meshctl_objects 3.0" in one.exposition()
    assert b"meshctl_objects 0.0" in two.exposition()


def test_istiods_names_are_asked_for() -> None:
    """They double the number of series."""
    assert "pilot_xds" not in Telemetry().exposition().decode()
    assert "pilot_xds" in names(Telemetry(pilot_metrics=True).exposition().decode())
