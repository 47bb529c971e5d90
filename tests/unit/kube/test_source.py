"""The source as a whole, where no real server is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.errors import SettingsError
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.kube.bridge import Delivery, Happening
from meshctl_operator.kube.routing_feed import RoutingFeed
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.source import KubernetesSource
from tests.support.kube_rig import FAST, Told, kube_settings
from tests.support.scripted_api import Events, ScriptedApi, failure, listed, raw_service


async def test_nothing_is_in_sync_before_every_kind_was_listed(tmp_path: Path) -> None:
    """One kind that cannot be listed holds everything; when it can, the source is in sync by itself. Ending ends all threads."""
    import asyncio

    api = ScriptedApi()
    for kind in (Kind.SERVICE, Kind.POD, Kind.NODE, Kind.NAMESPACE, Kind.ENDPOINT_SLICE):
        info = KINDS[kind]
        path = f"/apis/{info.group}/v1/{info.plural}" if info.group else f"/api/v1/{info.plural}"
        api.lists[path] = [listed()]
        api.watches[path] = [Events([])]
    api.lists["/api/v1/services"] = [listed(raw_service("a"))]
    api.lists["/api/v1/nodes"] = [failure(403)]
    async with api.running():
        told = Told()
        source = KubernetesSource(kube_settings(api.kubeconfig(tmp_path / "k")), telemetry=told.telemetry, feed=RoutingFeed())
        running = asyncio.create_task(source.run(told))
        await told.until(lambda: told.telemetry.kube_failures.of("Node").value >= 3 and told.names("Service") == {"a"})
        assert not told.synced
        api.lists["/api/v1/nodes"] = [listed()]
        await told.in_sync()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_server_that_cannot_be_found_out_is_a_setting() -> None:
    """The supervisor of the sources tells and tries again."""
    with pytest.raises(SettingsError):
        await KubernetesSource(KubeSettings(kubeconfig="/no/such/file", timings=FAST)).run(Told())


def test_what_happens_is_counted() -> None:
    """By kind."""
    telemetry = Telemetry()
    source = KubernetesSource(KubeSettings())
    delivery = Delivery()
    delivery.happened.update({(what, "Pod"): number for number, what in enumerate(Happening, 1)})
    source._count(delivery)
    source.measured_by(telemetry)
    source._count(delivery)
    families = (telemetry.kube_relists, telemetry.kube_restarts, telemetry.kube_failures, telemetry.kube_drift)
    assert [family.of("Pod").value for family in families] == [1, 2, 3, 4]
