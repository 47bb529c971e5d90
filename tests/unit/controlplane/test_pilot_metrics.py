"""istiod's names show our numbers."""

from __future__ import annotations

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.controlplane.pilot_metrics import ALIASES
from meshctl_operator.controlplane.telemetry import Telemetry


def exposed(telemetry: Telemetry) -> str:
    """Return what Prometheus reads."""
    return telemetry.exposition().decode()


def test_each_alias_has_a_series_of_ours() -> None:
    """And a name once."""
    families = {family.name for family in Telemetry().families()}
    assert {alias.ours for alias in ALIASES} <= families
    assert len({alias.name for alias in ALIASES}) == len(ALIASES)


def test_types_are_written_as_istiod_writes_them() -> None:
    """In lower case, and counters without a suffix."""
    telemetry = Telemetry(pilot_metrics=True)
    telemetry.pushes.of("CDS").inc(3)
    telemetry.push_sizes.of("CDS").observe(20_000)
    telemetry.nacks.of("LDS").inc()
    text = exposed(telemetry)
    assert 'pilot_xds_pushes{type="cds"} 3.0' in text
    assert 'pilot_xds_config_size_bytes_bucket{le="1e+06",type="cds"} 1.0' in text or 'le="1000000.0",type="cds"} 1.0' in text
    assert "pilot_xds_lds_reject 1.0" in text
    assert "pilot_xds_rds_reject 0.0" in text
    assert 'pilot_total_xds_rejects{type="lds"} 1.0' in text


def test_changes_and_objects_by_istiods_sorts() -> None:
    """Services, endpoints, and the rest."""
    telemetry = Telemetry(pilot_metrics=True)
    for kind in (Kind.SERVICE, Kind.POD, Kind.ENDPOINT_SLICE, Kind.VIRTUAL_SERVICE):
        telemetry.changes.of(kind).inc()
    telemetry.kinds.of(Kind.SERVICE).set(3)
    telemetry.kinds.of(Kind.SERVICE_ENTRY).set(4)
    telemetry.kinds.of(Kind.VIRTUAL_SERVICE).set(5)
    text = exposed(telemetry)
    assert 'pilot_inbound_updates{type="eds"} 2.0' in text
    assert 'pilot_inbound_updates{type="svc"} 1.0' in text
    assert 'pilot_inbound_updates{type="config"} 1.0' in text
    assert "pilot_services 7.0" in text
    assert "pilot_virt_services 5.0" in text


def test_streams_are_added_up() -> None:
    """The protocols are not told apart."""
    telemetry = Telemetry(pilot_metrics=True)
    telemetry.proxies.of("delta").inc(2)
    telemetry.proxies.of("sotw").inc()
    telemetry.proxy_convergence.observe(0.2)
    text = exposed(telemetry)
    assert any(line.startswith("pilot_xds{version=") and line.endswith(" 3.0") for line in text.splitlines())
    assert "pilot_proxy_convergence_time_count 1.0" in text
