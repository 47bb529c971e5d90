"""List, watch, and what a server in trouble costs: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge, Happening
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.reflector import Reflector
from meshctl_operator.kube.scopes import Scope
from meshctl_operator.kube.settings import KubeSettings, Timings
from tests.support.scripted_api import Events, ScriptedApi, failure, listed, raw_service

PATH = "/api/v1/services"
FAST = Timings(backoff=0.01, backoff_most=0.05, connect=1.0, answer=5.0)


class Seen:
    """What the bridge delivered."""

    def __init__(self, bridge: Bridge) -> None:
        """Start empty."""
        self.bridge = bridge
        self.versions: dict[str, str] = {}
        self.listed: list[str] = []
        self.happened: dict[Happening, int] = {}
        self.reconnects = 0

    async def until(self, **versions: str) -> None:
        """Wait until exactly these services are there, in these versions."""
        async with asyncio.timeout(10):
            while self.versions != versions:
                await self.turn()

    async def counted(self, what: Happening, number: int = 1) -> None:
        """Wait until something happened so often."""
        async with asyncio.timeout(10):
            while self.happened.get(what, 0) < number:
                await self.turn()

    async def turn(self) -> None:
        """Take a delivery."""
        delivery = await self.bridge.take()
        for key, raw in delivery.objects.items():
            if raw is None:
                self.versions.pop(key.name, None)
            else:
                assert (raw["kind"], raw["apiVersion"]) == ("Service", "v1")
                self.versions[key.name] = raw["metadata"]["resourceVersion"]
        self.listed += delivery.listed
        for (what, _), number in delivery.happened.items():
            self.happened[what] = self.happened.get(what, 0) + number

    def reconnected(self) -> None:
        """Count a return of the server."""
        self.reconnects += 1


@asynccontextmanager
async def reflecting(api: ScriptedApi, folder: Path, **scope: Any) -> AsyncIterator[Seen]:
    """Run a reflector of the Services against the scripts."""
    async with api.running():
        seen = Seen(Bridge(asyncio.get_running_loop()))
        connection = Connection.load(KubeSettings(kubeconfig=str(api.kubeconfig(folder / "kubeconfig")), timings=FAST))
        reflector = Reflector(Scope(KINDS[Kind.SERVICE], **scope), connection, seen.bridge, FAST, seen.reconnected)
        reflector.start()
        try:
            yield seen
        finally:
            reflector.stop()
            await asyncio.to_thread(reflector.join, 5)
            assert not reflector.is_alive()


def event(kind: str, name: str, version: str) -> dict[str, Any]:
    """Return a watch event."""
    return {"type": kind, "object": raw_service(name, version)}


async def test_pages_make_one_list_and_the_watch_goes_on_from_there(tmp_path: Path) -> None:
    """With bookmarks, and a time-out that the server keeps."""
    api = ScriptedApi()
    api.lists[PATH] = [listed(raw_service("a", "1"), token="more"), listed(raw_service("b", "2"))]
    api.watches[PATH] = [Events([event("ADDED", "c", "11"), event("MODIFIED", "a", "12"), event("DELETED", "b", "13")])]
    async with reflecting(api, tmp_path) as seen:
        await seen.until(a="12", c="11")
        assert seen.listed == ["Service"]
    first, second, watch = (query for _, query in api.requests)
    assert "continue" not in first
    assert second["continue"] == "more"
    assert (watch["resourceVersion"], watch["allowWatchBookmarks"]) == ("10", "true")
    assert int(watch["timeoutSeconds"]) >= FAST.watch_least


async def test_a_watch_that_breaks_off_goes_on_from_the_last_version(tmp_path: Path) -> None:
    """Of a bookmark too."""
    api = ScriptedApi()
    api.lists[PATH] = [listed(raw_service("a", "1"))]
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "42"}}}
    api.watches[PATH] = [Events([event("ADDED", "b", "11"), bookmark], ends=True), Events([event("ADDED", "c", "43")])]
    async with reflecting(api, tmp_path) as seen:
        await seen.until(a="1", b="11", c="43")
        assert seen.happened[Happening.RESTART] == 1
        assert seen.reconnects == 1
    assert [query["resourceVersion"] for _, query in api.requests if "watch" in query] == ["10", "42"]
    assert api.asked(lambda query: "watch" not in query) == 1


@pytest.mark.parametrize("in_stream", [True, False], ids=["in the stream", "as an answer"])
async def test_an_expired_version_is_listed_anew_with_the_deletions(tmp_path: Path, *, in_stream: bool) -> None:
    """410 says that the server has forgotten what was in between."""
    api = ScriptedApi()
    api.lists[PATH] = [listed(raw_service("a", "1"), raw_service("b", "2")), listed(raw_service("b", "20"), version="30")]
    gone: Any = failure(410)
    if in_stream:
        gone = Events([{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}])
    api.watches[PATH] = [gone, Events([event("ADDED", "c", "31")])]
    async with reflecting(api, tmp_path) as seen:
        await seen.until(b="20", c="31")
        assert seen.happened == {Happening.RELIST: 1}
        assert seen.listed == ["Service"]


async def test_refusals_are_waited_out(tmp_path: Path) -> None:
    """429 and 500, at the list and at the watch: what is held stays, and it is tried again."""
    api = ScriptedApi()
    api.lists[PATH] = [failure(500), failure(429), listed(raw_service("a", "1"))]
    error = Events([{"type": "ERROR", "object": {"kind": "Status", "code": 500, "message": "etcd"}}])
    api.watches[PATH] = [failure(429, Retry_After="0"), failure(500), error, Events([event("ADDED", "b", "11")])]
    async with reflecting(api, tmp_path) as seen:
        await seen.until(a="1", b="11")
        assert seen.happened[Happening.FAILURE] == 5
        assert Happening.RELIST not in seen.happened
    assert api.asked(lambda query: "watch" not in query) == 3


async def test_a_list_that_takes_too_long_is_fetched_at_once(tmp_path: Path) -> None:
    """The token of a page expires: the next attempt asks for no pages."""
    api = ScriptedApi()
    api.lists[PATH] = [listed(raw_service("a", "1"), token="more"), failure(410), listed(raw_service("a", "1"), raw_service("b", "2"))]
    api.watches[PATH] = [Events([])]
    async with reflecting(api, tmp_path) as seen:
        await seen.until(a="1", b="2")
    assert "limit" not in api.requests[2][1]


async def test_what_may_not_be_read_counts_as_empty_where_it_is_optional(tmp_path: Path) -> None:
    """A missing permission for the Secrets of a namespace must not stop everything else."""
    api = ScriptedApi()
    api.lists[PATH] = [failure(403)]
    async with reflecting(api, tmp_path, optional=True) as seen:
        await seen.counted(Happening.FAILURE, 2)
        assert seen.listed == ["Service"]


async def test_what_may_not_be_read_holds_the_barrier_otherwise(tmp_path: Path) -> None:
    """Nobody may be served half of the mesh."""
    api = ScriptedApi()
    api.lists[PATH] = [failure(403)]
    async with reflecting(api, tmp_path) as seen:
        await seen.counted(Happening.FAILURE, 3)
        assert seen.listed == []


async def test_a_known_key_is_told_when_the_thread_has_ended(tmp_path: Path) -> None:
    """Whoever stops a watch for good can say what is not known any more."""
    api = ScriptedApi()
    api.lists[PATH] = [listed(raw_service("a", "1"))]
    api.watches[PATH] = [Events([])]
    async with api.running():
        bridge = Bridge(asyncio.get_running_loop())
        connection = Connection.load(KubeSettings(kubeconfig=str(api.kubeconfig(tmp_path / "k")), timings=FAST))
        reflector = Reflector(Scope(KINDS[Kind.SERVICE]), connection, bridge, FAST, lambda: None)
        reflector.start()
        await bridge.take()
        reflector.stop()
        await asyncio.to_thread(reflector.join, 5)
    assert reflector.known == {ObjectKey("Service", "default", "a")}
