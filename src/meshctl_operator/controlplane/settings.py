"""What a control plane is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.switches import read_switches
from meshctl_operator.incremental.engine import Mode

DOMAIN: Final = "cluster.local"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long changes are gathered before they are compiled, in seconds.

    A change waits for ``config_quiet`` of quiet time, but never longer than ``cap``; where only endpoints changed, ``endpoint_quiet``.
    """

    config_quiet: float = 0.005
    endpoint_quiet: float = 0.0
    cap: float = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a control plane; times in seconds.

    Attributes:
        domain: the DNS domain of the cluster.
        mesh: Istio's MeshConfig, used unless a source has one.
        switches: istiod's feature switches that are honoured, with their values.
        mode: ``recompute`` ignores all memos, for operators who suspect them.
        windows: batching of changes.
        drain_grace: how long open streams may take to end when the control plane stops.
        settle_timeout: longest wait of ``ControlPlane.settled`` for proxies that do not answer.
        source_retry: first wait before a failed source is run again; it doubles up to ``source_retry_max``.
    """

    domain: str = DOMAIN
    mesh: MeshConfig = field(default_factory=MeshConfig)
    switches: tuple[tuple[str, str], ...] = ()
    mode: Mode = "incremental"
    windows: Windows = field(default_factory=Windows)
    drain_grace: float = 1.0
    settle_timeout: float = 10.0
    source_retry: float = 0.5
    source_retry_max: float = 30.0

    @property
    def mesh_settings(self) -> MeshSettings:
        """What the registry holds of these settings."""
        return MeshSettings(self.mesh, self.domain, self.switches)


def settings_from(environment: Mapping[str, str], *, domain: str = DOMAIN, mode: Mode = "incremental") -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that the environment asks for, with a warning for each switch of istiod that has no effect.

    Raises SettingsError for a value that cannot be read.
    """
    switches, warnings = read_switches(environment)
    given = dict(switches)
    defaults = Windows()
    windows = Windows(
        config_quiet=_seconds(given, "PILOT_DEBOUNCE_AFTER", defaults.config_quiet),
        endpoint_quiet=defaults.endpoint_quiet,
        cap=_seconds(given, "PILOT_DEBOUNCE_MAX", defaults.cap),
    )
    return Settings(domain=domain, switches=switches, mode=mode, windows=windows), warnings


def _seconds(switches: Mapping[str, str], name: str, default: float) -> float:
    text = switches.get(name)
    if text is None:
        return default
    try:
        return Duration.parse(text).seconds
    except ValueError:
        raise SettingsError(f'{name} is "{text}", which is not a duration', hint="write it like 100ms or 1s") from None
