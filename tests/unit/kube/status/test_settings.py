"""What the environment says about status."""

from __future__ import annotations

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.status.settings import status_settings


def test_each_revision_has_a_leader_of_its_own() -> None:
    """And each start of a replica a name of its own, so that nobody takes an old Lease for its own."""
    one, two = (status_settings({"POD_NAME": "pod-1"}, KubeSettings(revision="canary")) for _ in range(2))
    assert one.lease_name == two.lease_name == "meshctl-operator-canary"
    assert one.identity != two.identity
    assert one.identity.startswith("pod-1_")


def test_how_long_envoys_workers_need_can_be_set() -> None:
    """As a duration."""
    assert status_settings({"MESHCTL_PROGRAMMED_DELAY": "200ms"}, KubeSettings()).pacing.apply_gap == 0.2
    with pytest.raises(SettingsError, match="not a duration"):
        status_settings({"MESHCTL_PROGRAMMED_DELAY": "soon"}, KubeSettings())
