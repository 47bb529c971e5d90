"""What a replica tells the leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.status.reports import PATH, ReportServer, decoded, encoded, encoded_keys
from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection

SECRET = "of the tests"
RULE, OTHER = (ObjectKey("VirtualService", "shop", name) for name in ("cart", "other"))
SAID = {
    RULE: Acknowledgements(
        3, frozenset({"a.x", "b.x"}), frozenset({"a.x"}), frozenset({"c.x"}), (Rejection("b.x", "LDS l", "no"),), complete=False
    ),
    OTHER: Acknowledgements(1, frozenset({"a.x"}), frozenset({"a.x"})),
}


def test_what_is_said_arrives() -> None:
    """All of it that counts."""
    assert decoded(encoded(SAID)) == SAID


class Replica:
    """A replica that serves its acknowledgements."""

    def __init__(self) -> None:
        """Know everything."""
        self.ready = True
        self.server = ReportServer(SECRET, lambda: self.ready, self.told)
        self.url = ""

    def told(self, keys: Collection[ObjectKey]) -> dict[ObjectKey, Acknowledgements]:
        """Return what is known."""
        return {key: SAID[key] for key in keys if key in SAID}

    async def ask(self, body: Any, token: str = SECRET) -> tuple[int, Any]:
        """Return status and answer."""
        async with aiohttp.ClientSession() as http, http.post(self.url, json=body, headers={"Authorization": f"Bearer {token}"}) as answer:
            return answer.status, await answer.json() if answer.status == 200 else None


@asynccontextmanager
async def replica() -> AsyncIterator[Replica]:
    """Run one."""
    found = Replica()
    found.url = f"http://{await found.server.start('127.0.0.1')}{PATH}"
    try:
        yield found
    finally:
        await found.server.stop()


async def test_whoever_knows_the_token_is_answered() -> None:
    """Others are not, and nobody is before there is anything to say."""
    async with replica() as one:
        status, answer = await one.ask({"objects": encoded_keys([RULE])})
        assert (status, decoded(answer["objects"])) == (200, {RULE: SAID[RULE]})
        assert (await one.ask({"objects": []}, token="guess"))[0] == 401
        one.ready = False
        assert (await one.ask({"objects": []}))[0] == 503


@pytest.mark.parametrize("body", [{}, [], {"objects": [["a"]]}, {"objects": [], "since": "soon"}], ids=["nothing", "list", "key", "number"])
async def test_nonsense_is_refused(body: Any) -> None:
    """With 400."""
    async with replica() as one:
        assert (await one.ask(body))[0] == 400


async def test_the_answer_waits_for_news() -> None:
    """So that the leader hears at once, and asks seldom."""
    async with replica() as one:
        _, first = await one.ask({"objects": []})
        asked = asyncio.create_task(one.ask({"objects": [], "since": first["number"]}))
        await asyncio.sleep(0.05)
        assert not asked.done()
        one.server.note()
        _, second = await asked
        assert second["number"] > first["number"]
        assert (await one.ask({"objects": [], "since": second["number"]}))[1]["number"] == second["number"]


async def test_a_port_that_is_taken_is_an_error() -> None:
    """Nothing is left behind."""
    async with replica() as one:
        port = int(one.url.removesuffix(PATH).rpartition(":")[2])
        with pytest.raises(OSError, match="address"):
            await ReportServer("x", lambda: True, one.told).start("127.0.0.1", port)
