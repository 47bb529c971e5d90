"""How status is written, from the environment."""

from __future__ import annotations

import os
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


@dataclass(frozen=True, slots=True)
class StatusSettings:
    """What status is written with: how often, and in whose name among the replicas of a revision.

    Attributes:
        pacing: how writes are spread over time.
        lease: the times of the election.
        lease_name: the Lease that the writer holds, in the system namespace.
        identity: the name of this replica, different after each start.
        retry: seconds until everything is begun anew after a failure that nobody expected.
    """

    lease_name: str
    identity: str
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
    return StatusSettings(f"meshctl-operator-{settings.revision}", f"{name}_{os.getpid()}_{secrets.token_hex(4)}", pacing)
