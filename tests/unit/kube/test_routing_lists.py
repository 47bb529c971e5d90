"""Lists of the routing kinds: the start, drift, and CRDs that are not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge, Happening
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.routing_index import RoutingIndex
from meshctl_operator.kube.routing_lists import MANY, RoutingLists
from meshctl_operator.kube.settings import KubeSettings, Timings
from tests.support.scripted_api import Answer, ScriptedApi, failure, listed

GROUP = "/apis/networking.istio.io"
FAST = Timings(backoff=0.01, backoff_most=0.05, connect=1.0, answer=5.0, drift=60.0, drift_soon=0.0)


def gateway(name: str, version: str = "1") -> dict[str, Any]:
    """Return a Gateway as it is listed."""
    return {"metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": version}, "spec": {}}


def serve(api: ScriptedApi, version: str = "v1", *names: str) -> None:
    """Let the server have the Gateways' CRD in one version."""
    api.lists[GROUP] = [Answer({"versions": [{"version": version}]})]
    api.lists[f"{GROUP}/{version}"] = [Answer({"resources": [{"name": "gateways"}]})]
    api.lists[f"{GROUP}/{version}/gateways"] = [listed(*(gateway(name) for name in names))]


class Listing:
    """A running thread of lists, with what it told."""

    def __init__(self, bridge: Bridge, index: RoutingIndex, lists: RoutingLists) -> None:
        """Start empty."""
        self.bridge, self.index, self.lists = bridge, index, lists
        self.held: dict[str, str] = {}
        self.api_versions: set[str] = set()
        self.listed: set[str] = set()
        self.drift = 0

    async def turn(self) -> None:
        """Take a delivery."""
        delivery = await self.bridge.take()
        for key, raw in delivery.objects.items():
            if raw is None:
                self.held.pop(key.name, None)
            else:
                self.held[key.name] = raw["metadata"]["resourceVersion"]
                self.api_versions.add(raw["apiVersion"])
        self.listed |= set(delivery.listed)
        self.drift += sum(number for (what, _), number in delivery.happened.items() if what is Happening.DRIFT)

    async def in_sync(self) -> None:
        """Wait for all seven kinds."""
        async with asyncio.timeout(10):
            while len(self.listed) < 7:
                await self.turn()


@asynccontextmanager
async def listing(api: ScriptedApi, folder: Path) -> AsyncIterator[Listing]:
    """Run the thread against the scripts."""
    async with api.running():
        bridge = Bridge(asyncio.get_running_loop())
        index = RoutingIndex(bridge)
        connection = Connection.load(KubeSettings(kubeconfig=str(api.kubeconfig(folder / "k")), timings=FAST))
        lists = RoutingLists(connection, index, bridge, FAST)
        lists.start()
        try:
            yield Listing(bridge, index, lists)
        finally:
            lists.stop()
            await asyncio.to_thread(lists.join, 5)
            assert not lists.is_alive()


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
async def test_every_kind_is_listed_in_the_newest_version_there_is(tmp_path: Path, version: str) -> None:
    """A kind without a CRD is listed as well: there is nothing of it."""
    api = ScriptedApi()
    serve(api, version, "a", "b")
    async with listing(api, tmp_path) as seen:
        await seen.in_sync()
        assert seen.held == {"a": "1", "b": "1"}
        assert seen.api_versions == {f"networking.istio.io/{version}"}
        assert seen.drift == 0


async def test_drift_is_repaired_and_counted(tmp_path: Path) -> None:
    """One vanished, one changed, one is new; all by metadata and single objects."""
    api = ScriptedApi()
    serve(api, "v1", "gone", "changed")
    async with listing(api, tmp_path) as seen:
        await seen.in_sync()
        api.lists[f"{GROUP}/v1/gateways"] = [listed(gateway("changed", "2"), gateway("new"))]
        api.lists[f"{GROUP}/v1/namespaces/default/gateways/changed"] = [Answer(gateway("changed", "2"))]
        api.lists[f"{GROUP}/v1/namespaces/default/gateways/new"] = [Answer(gateway("new") | {"apiVersion": "networking.istio.io/v1"})]
        api.lists[f"{GROUP}/v1/namespaces/default/gateways/changed"][0].body["apiVersion"] = "networking.istio.io/v1"
        seen.lists.request()
        async with asyncio.timeout(10):
            while seen.drift < 3:
                await seen.turn()
        assert seen.held == {"changed": "2", "new": "1"}


async def test_much_drift_is_fetched_at_once(tmp_path: Path) -> None:
    """A request for each of thousands of objects would be no repair."""
    api = ScriptedApi()
    serve(api, "v1")
    async with listing(api, tmp_path) as seen:
        await seen.in_sync()
        many = [gateway(f"g{number}") for number in range(MANY + 1)]
        api.lists[f"{GROUP}/v1/gateways"] = [listed(*many)]
        seen.lists.request()
        async with asyncio.timeout(10):
            while seen.drift < len(many):
                await seen.turn()
        assert len(seen.held) == len(many)


async def test_a_kind_that_is_not_served_is_not_taken_for_deleted(tmp_path: Path) -> None:
    """While the CRD is there, 404 is the state of a server that starts; without it, the objects are gone."""
    api = ScriptedApi()
    serve(api, "v1", "a")
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gateways.networking.istio.io"
    async with listing(api, tmp_path) as seen:
        await seen.in_sync()
        api.lists[crd] = [Answer({})]
        api.lists[f"{GROUP}/v1"] = [failure(404)]
        seen.lists.request()
        async with asyncio.timeout(10):
            while sum(path == crd for path, _ in api.requests) < 3:
                await seen.turn()
        assert seen.held == {"a": "1"}
        api.lists[crd] = [failure(404)]
        async with asyncio.timeout(10):
            while seen.held:
                await seen.turn()
        assert not seen.index.repair(ObjectKey("Gateway", "default", "a"), None, seen.index.mark)


async def test_a_server_that_is_away_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is asked again, and when it is back."""
    api = ScriptedApi()
    serve(api, "v1", "a")
    api.lists[GROUP] = [failure(500, "away"), failure(500, "away"), failure(500, "away"), *api.lists[GROUP]]
    with caplog.at_level("INFO", logger="meshctl.kube"):
        async with listing(api, tmp_path) as seen:
            await seen.in_sync()
    assert [record.getMessage() for record in caplog.records] == ["list failed", "lists go on"]
