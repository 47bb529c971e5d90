"""Settings come from the environment of an istiod."""

from __future__ import annotations

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.settings import Settings, settings_from
from meshctl_operator.xds.readiness import Timing


def test_honoured_switches_are_taken_and_vain_ones_said() -> None:
    """A migration keeps its environment."""
    environment = {"PILOT_SCOPE_GATEWAY_TO_NAMESPACE": "true", "PILOT_ENABLE_AMBIENT": "true", "HOME": "/"}
    settings, warnings = settings_from(environment)
    assert settings.mesh_settings.switches == (("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "true"),)
    assert len(warnings) == 1
    assert "PILOT_ENABLE_AMBIENT=true" in warnings[0]


def test_windows_follow_the_debounce_switches() -> None:
    """They are durations in Go notation."""
    settings, _ = settings_from({"PILOT_DEBOUNCE_AFTER": "50ms", "PILOT_DEBOUNCE_MAX": "2s"}, mode="recompute")
    assert (settings.windows.config_quiet, settings.windows.cap, settings.mode) == (0.05, 2.0, "recompute")
    with pytest.raises(SettingsError, match="soon"):
        settings_from({"PILOT_DEBOUNCE_AFTER": "soon"})


def test_defaults_are_those_of_a_fast_control_plane() -> None:
    """A change waits a few milliseconds for others, never more than a tenth of a second."""
    settings, warnings = settings_from({})
    assert settings == Settings()
    assert warnings == ()
    assert settings.windows.config_quiet <= 0.01
    assert settings.windows.cap <= 0.1


@pytest.mark.parametrize(("text", "expected"), [("false", False), ("0", False), ("True", True), ("1", True)])
def test_split_routes_can_be_turned_off(text: str, *, expected: bool) -> None:
    """They are on unless the environment says otherwise."""
    assert Settings().split_routes
    assert settings_from({"MESHCTL_SPLIT_ROUTES": text})[0].split_routes is expected


def test_a_switch_that_says_neither_is_refused() -> None:
    """A typing error must not turn something on or off."""
    with pytest.raises(SettingsError, match="maybe"):
        settings_from({"MESHCTL_SPLIT_ROUTES": "maybe"})


def test_what_waits_for_proxies_can_be_set() -> None:
    """How long removed clusters stay, and how long routes wait for new ones."""
    assert Settings().timing == settings_from({})[0].timing == Timing(drain=5.0, warming=10.0)
    assert settings_from({"MESHCTL_DRAIN_TIME": "30s", "MESHCTL_WARMING_TIMEOUT": "1m"})[0].timing == Timing(30.0, 60.0)
    with pytest.raises(SettingsError, match="MESHCTL_DRAIN_TIME"):
        settings_from({"MESHCTL_DRAIN_TIME": "long"})


def test_connections_end_after_half_an_hour_unless_the_environment_says_otherwise() -> None:
    """Proxies spread over replicas again; nothing is no age at all."""
    assert Settings().max_connection_age == settings_from({})[0].max_connection_age == 1800.0
    assert settings_from({"MESHCTL_MAX_CONNECTION_AGE": "5m"})[0].max_connection_age == 300.0
    assert settings_from({"MESHCTL_MAX_CONNECTION_AGE": "0s"})[0].max_connection_age is None
    with pytest.raises(SettingsError, match="MESHCTL_MAX_CONNECTION_AGE"):
        settings_from({"MESHCTL_MAX_CONNECTION_AGE": "half an hour"})


def test_times_that_are_negative_are_refused() -> None:
    """A sign is a typing error, and not a way to turn something off."""
    with pytest.raises(SettingsError, match="-5s"):
        settings_from({"MESHCTL_DRAIN_TIME": "-5s"})
