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
    assert one.identity.startswith("pod-1-")


def test_how_long_envoys_workers_need_can_be_set() -> None:
    """As a duration."""
    assert status_settings({"MESHCTL_PROGRAMMED_DELAY": "200ms"}, KubeSettings()).pacing.apply_gap == 0.2
    with pytest.raises(SettingsError, match="not a duration"):
        status_settings({"MESHCTL_PROGRAMMED_DELAY": "soon"}, KubeSettings())


def test_where_the_leader_asks_can_be_set() -> None:
    """On the address of the pod; any free port unless one is named."""
    assert (status_settings({}, KubeSettings()).host, status_settings({}, KubeSettings()).port) == ("127.0.0.1", 0)
    given = status_settings({"POD_IP": "10.0.0.1", "MESHCTL_REPORT_PORT": "15016"}, KubeSettings())
    assert (given.host, given.port) == ("10.0.0.1", 15016)
    with pytest.raises(SettingsError, match="not a port"):
        status_settings({"MESHCTL_REPORT_PORT": "70000"}, KubeSettings())
