"""What a control plane is started with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.switches import read_switches
from meshctl_operator.incremental.engine import Mode
from meshctl_operator.xds.readiness import Timing

DOMAIN: Final = "cluster.local"


@dataclass(frozen=True, slots=True)
class Windows:
    """How long changes are gathered before they are compiled, in seconds.

    A change waits for ``config_quiet`` of quiet time, but never longer than ``cap``; where only endpoints changed, ``endpoint_quiet``.
    While streams are behind with what was sent already (``pacing``), it may wait for up to ``behind_cap``.
    """

    config_quiet: float = 0.005
    endpoint_quiet: float = 0.0
    cap: float = 0.1
    behind_cap: float = 1.0


SPLIT_ROUTES: Final = "MESHCTL_SPLIT_ROUTES"
"""The environment variable that says whether route configurations are split (``Settings.split_routes``)."""

USUAL_TIMING: Final = Timing(drain=5.0)

DRAIN_TIME: Final = "MESHCTL_DRAIN_TIME"
"""The environment variable for ``Timing.drain``: how long removed clusters stay with a proxy after it has no route to them any more."""

WARMING_TIMEOUT: Final = "MESHCTL_WARMING_TIMEOUT"
"""The environment variable for ``Timing.warming``: how long a route to a new cluster waits until the proxy can use that."""

MAX_CONNECTION_AGE: Final = "MESHCTL_MAX_CONNECTION_AGE"
"""The environment variable for ``Settings.max_connection_age``."""

USUAL_CONNECTION_AGE: Final = 1800.0
"""Istio's charts have the same half hour (``keepaliveMaxServerConnectionAge``)."""

STATE_FOLDER: Final = "MESHCTL_STATE_DIR"
"""The environment variable that names the state folder (``Settings.state_folder``)."""

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a control plane; times in seconds.

    Attributes:
        domain: the DNS domain of the cluster.
        mesh: Istio's MeshConfig, used unless a source has one.
        switches: istiod's feature switches that are honoured, with their values.
        mode: ``recompute`` ignores all memos, for operators who suspect them.
        split_routes: serve virtual hosts as resources of their own (VHDS) to Delta clients that take them.
        timing: how long proxies keep what was removed, and how long routes wait for new clusters.
        max_connection_age: age at which connections of proxies are ended, so that these spread over the replicas anew; None: never. gRPC
            varies it by a tenth in either direction for each connection, so that a fleet that came at once does not go at once.
        windows: batching of changes.
        state_folder: where the control plane keeps what must survive it: the last good versions of what proxies reject. None: nowhere.
        drain_grace: how long open streams may take to end when the control plane stops.
        pilot_metrics: expose istiod's names as well, where they mean the same (``pilot_metrics``).
        own_process: tune the garbage collector of the process (``garbage``); an embedding program has its own ideas about that.
        settle_timeout: longest wait of ``ControlPlane.settled`` for proxies that do not answer.
        source_retry: first wait before a failed source is run again; it doubles up to ``source_retry_max``.
    """

    domain: str = DOMAIN
    mesh: MeshConfig = field(default_factory=MeshConfig)
    switches: tuple[tuple[str, str], ...] = ()
    mode: Mode = "incremental"
    split_routes: bool = True
    timing: Timing = USUAL_TIMING
    max_connection_age: float | None = USUAL_CONNECTION_AGE
    windows: Windows = field(default_factory=Windows)
    state_folder: Path | None = None
    drain_grace: float = 1.0
    pilot_metrics: bool = False
    own_process: bool = False
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
    split = _switch(environment, SPLIT_ROUTES, default=True)
    drain = _seconds(environment, DRAIN_TIME, USUAL_TIMING.drain)
    timing = Timing(drain, _seconds(environment, WARMING_TIMEOUT, USUAL_TIMING.warming))
    age = _seconds(environment, MAX_CONNECTION_AGE, USUAL_CONNECTION_AGE) or None
    folder = Path(text) if (text := environment.get(STATE_FOLDER)) else None
    settings = Settings(
        domain,
        switches=switches,
        mode=mode,
        windows=windows,
        split_routes=split,
        timing=timing,
        max_connection_age=age,
        state_folder=folder,
    )
    return settings, warnings


def _switch(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name)
    if text is None:
        return default
    if text.lower() not in _BOOLEANS:
        raise SettingsError(f'{name} is "{text}", which is neither true nor false', hint="write true or false")
    return _BOOLEANS[text.lower()]


def _seconds(switches: Mapping[str, str], name: str, default: float) -> float:
    text = switches.get(name)
    if text is None:
        return default
    try:
        seconds = Duration.parse(text).seconds
    except ValueError:
        raise SettingsError(f'{name} is "{text}", which is not a duration', hint="write it like 100ms or 1s") from None
    if seconds < 0:
        raise SettingsError(f'{name} is "{text}", which is less than nothing', hint="write it like 100ms or 1s")
    return seconds
