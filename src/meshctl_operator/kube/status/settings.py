"""How status is written, from the environment."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.base.durations import Duration
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.status.election import LeaseTimes
from meshctl_operator.status.planning import Pacing

APPLY_GAP: Final = "MESHCTL_PROGRAMMED_DELAY"
"""The environment variable for ``Pacing.apply_gap``: what Envoy's workers take at most to take over what Envoy has acknowledged."""


REPORT_PORT: Final = "MESHCTL_REPORT_PORT"
"""The environment variable for ``StatusSettings.port``, where a network policy has to name it. It listens on ``POD_IP``, else on loopback."""

_LARGEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """What status is written with: how often, and in whose name among the replicas of a revision.

    Attributes:
        pacing: how writes are spread over time.
        lease: the times of the election.
        lease_name: the Lease that the writer holds, in the system namespace.
        identity: the name of this replica, different after each start.
        token: who asks this replica for its acknowledgements has to know it; the Lease of the replica tells.
        host, port: where it listens for that; port 0 is any free one, since the Lease tells that too.
        retry: seconds until everything is begun anew after a failure that nobody expected.
    """

    lease_name: str
    identity: str
    token: str
    host: str = "127.0.0.1"
    port: int = 0
    pacing: Pacing = field(default_factory=Pacing)
    lease: LeaseTimes = field(default_factory=LeaseTimes)
    retry: float = 5.0


def status_settings(environment: Mapping[str, str], settings: KubeSettings) -> StatusSettings:
    """Return the settings that the environment asks for. Raises SettingsError for a value that cannot be read."""
    pacing = Pacing()
    given = environment.get(APPLY_GAP)
    if given is not None:
        try:
            pacing = replace(pacing, apply_gap=Duration.parse(given).seconds)
        except ValueError:
            raise SettingsError(f'{APPLY_GAP} is "{given}", which is not a duration', hint="write it like 50ms or 1s") from None
    name = environment.get("POD_NAME") or socket.gethostname()
    port = environment.get(REPORT_PORT, "0")
    if not port.isdigit() or int(port) > _LARGEST_PORT:
        raise SettingsError(f'{REPORT_PORT} is "{port}", which is not a port', hint="leave it unset, and any free port is taken")
    return StatusSettings(
        lease_name=f"meshctl-operator-{settings.revision}",
        identity=f"{name.lower()}-{secrets.token_hex(4)}",
        token=secrets.token_urlsafe(24),
        host=environment.get("POD_IP", "127.0.0.1"),
        port=int(port),
        pacing=pacing,
    )
