"""Kopf in a thread: it ends when it is told to, and starts again when it fails. What it hears is tried against a real server elsewhere."""

from __future__ import annotations

import asyncio
import logging
import threading

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.kube.bridge import Bridge
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.routing_index import RoutingIndex
from meshctl_operator.kube.routing_watch import RoutingWatch, _is_news
from meshctl_operator.kube.settings import Timings

RAW = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "1"}}


def unreachable() -> Connection:
    """Have no connection."""
    raise AssertionError("not asked for")


async def test_a_listed_object_asks_for_a_comparison() -> None:
    """Kopf has just connected then; events alone do not."""
    bridge, asked = Bridge(asyncio.get_running_loop()), []
    watch = RoutingWatch(unreachable, RoutingIndex(bridge), Timings(), lambda: asked.append(1))
    watch.take(KINDS[Kind.GATEWAY], "ADDED", RAW)
    assert asked == []
    watch.take(KINDS[Kind.GATEWAY], None, RAW)
    assert asked == [1]
    assert len((await bridge.take()).objects) == 1


async def test_kopf_is_started_again_after_a_failure() -> None:
    """And a comparison is asked for each time."""
    failed, started = threading.Event(), []

    class Failing(RoutingWatch):
        async def _operate(self) -> None:
            started.append(1)
            if len(started) == 3:
                failed.set()
                self.stop()
            raise RuntimeError("no")

    asked: list[int] = []
    index = RoutingIndex(Bridge(asyncio.get_running_loop()))
    watch = Failing(unreachable, index, Timings(backoff=0.001), lambda: asked.append(1))
    watch.start()
    assert await asyncio.to_thread(failed.wait, 10)
    await asyncio.to_thread(watch.join, 10)
    assert (len(started), len(asked)) == (3, 2)


def test_what_is_as_it_should_be_is_not_logged() -> None:
    """Everything else is."""
    told = (
        "OS signals are ignored: running not in the main thread.",
        "Request attempt #1 failed; will retry: GET https://a/api -> Error()",
    )
    for message, expected in ((told[0], False), (told[1], False), ("something else", True)):
        assert _is_news(logging.LogRecord("kopf", logging.WARNING, "", 0, message, None, None)) is expected
