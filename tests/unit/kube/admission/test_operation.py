"""The webhook beside a control plane."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.kube.admission.operation import AdmissionSettings, beside, webhook_of
from meshctl_operator.kube.admission.webhook import Webhook, WebhookOptions
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.sources.memory import MemorySource
from tests.support.clocks import ManualClock
from tests.support.meshes import service
from tests.support.scripted_api import ScriptedApi
from tests.unit.kube.admission.test_rotation import Cluster
from tests.unit.kube.admission.test_webhook import warnings_of


async def test_it_knows_what_the_control_plane_has_and_ends_with_the_block() -> None:
    """Each change counts for the next answer; afterwards nobody listens."""
    cluster, source = Cluster(), MemorySource(service("ratings"))
    webhook = Webhook(WebhookOptions("meshctl", "mesh", "127.0.0.1", 0), cluster, cluster, ManualClock())
    before = sys.getswitchinterval()
    async with ControlPlane(Settings(), [source]) as plane, beside(plane, webhook):
        await plane.settled()
        assert sys.getswitchinterval() <= 0.0011
        while True:  # the server starts when there is a certificate
            try:
                assert len(await warnings_of(webhook)) == 1
                break
            except OSError:
                await asyncio.sleep(0.01)
        source.apply(service("reviews"))
        await plane.settled()
        assert await warnings_of(webhook) == []
    assert sys.getswitchinterval() == before
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", webhook.port))


async def test_followers_hear_of_every_state_once() -> None:
    """Not before the sources are in sync, and at once from then on."""
    source = MemorySource(service("a"))
    plane = ControlPlane(Settings(), [source])
    told: list[int] = []
    plane.follow_objects(lambda objects: told.append(len(objects)))
    assert told == []
    async with plane:
        await plane.settled()
        source.apply(service("b"))
        await plane.settled()
        late: list[int] = []
        plane.follow_objects(lambda objects: late.append(len(objects)))
        assert told[0] + 1 == told[1] == late[0]


def test_settings_become_a_webhook(tmp_path: Path) -> None:
    """The port is bound at once; a taken one is an error before anything runs."""
    api = ScriptedApi()
    api.url = "http://127.0.0.1:1"
    cluster = KubeSettings(kubeconfig=str(api.kubeconfig(tmp_path / "kubeconfig")), system_namespace="mesh", revision="canary")
    webhook = webhook_of(cluster, AdmissionSettings("127.0.0.1", 0), domain="cluster.local")
    assert webhook.port
    ours = webhook._options.ours
    assert (ours({"labels": {"istio.io/rev": "canary"}}), ours({"labels": {}})) == (True, False)
    webhook._bound.listen()
    with pytest.raises(MeshctlError):
        webhook_of(cluster, AdmissionSettings("127.0.0.1", webhook.port), domain="cluster.local")
    webhook._bound.close()
