"""Requests with the credentials of a kubeconfig."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from meshctl_operator.base.errors import SettingsError
from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.settings import KubeSettings, Timings
from tests.support.scripted_api import Answer, Events, ScriptedApi, failure


def load(api: ScriptedApi, folder: Path) -> Connection:
    """Connect to the scripts."""
    timings = Timings(connect=1.0, answer=2.0)
    return Connection.load(KubeSettings(kubeconfig=str(api.kubeconfig(folder / "k")), timings=timings))


async def test_documents_and_refusals(tmp_path: Path) -> None:
    """A refusal has its status, what the server says, and when to come back."""
    api = ScriptedApi()
    api.lists["/a"] = [Answer({"x": 1}), failure(429, "too many", Retry_After="7")]
    async with api.running():
        connection = load(api, tmp_path)
        assert connection.authorization == "Bearer secret"
        assert await asyncio.to_thread(connection.get, "/a", {"limit": "5"}) == {"x": 1}
        with pytest.raises(ApiFailure, match="too many") as caught:
            await asyncio.to_thread(connection.get, "/a")
        assert (caught.value.status, caught.value.retry_after) == (429, 7.0)
    assert api.requests[0] == ("/a", {"limit": "5"})
    with pytest.raises(ApiFailure) as refused:
        await asyncio.to_thread(connection.get, "/a")
    assert refused.value.status is None
    assert str(refused.value).startswith("GET /a: ConnectionRefusedError: "), "without the names of objects in memory"


async def test_a_watch_is_closed_from_another_thread(tmp_path: Path) -> None:
    """Without an error, though it waits for data."""
    api = ScriptedApi()
    api.watches["/w"] = [Events([{"n": 1}])]
    async with api.running():
        stream = await asyncio.to_thread(load(api, tmp_path).watch, "/w", {"watch": "1"}, silence=60.0)
        events = iter(stream)
        assert await asyncio.to_thread(next, events) == {"n": 1}
        waiting = asyncio.create_task(asyncio.to_thread(next, events, None))
        await asyncio.sleep(0)
        stream.close()
        assert await asyncio.wait_for(waiting, 10) is None


async def test_a_silent_watch_is_given_up(tmp_path: Path) -> None:
    """A connection that is dead without a word must not be waited for."""
    api = ScriptedApi()
    api.watches["/w"] = [Events([])]
    async with api.running():
        stream = await asyncio.to_thread(load(api, tmp_path).watch, "/w", {"watch": "1"}, silence=0.2)
        with pytest.raises(ApiFailure, match="broke off"):
            await asyncio.to_thread(list, stream)


@pytest.mark.parametrize(("context", "text"), [("other", None), (None, "kind: ["), (None, "")], ids=["context", "yaml", "empty"])
async def test_a_kubeconfig_that_cannot_be_used_is_a_setting(tmp_path: Path, context: str | None, text: str | None) -> None:
    """With a hint."""
    api = ScriptedApi()
    async with api.running():
        path = api.kubeconfig(tmp_path / "k")
        if text is not None:
            path.write_text(text)
        with pytest.raises(SettingsError, match="no API server to read from") as caught:
            Connection.load(KubeSettings(kubeconfig=str(path), context=context))
        assert "KUBECONFIG" in str(caught.value.hint)
