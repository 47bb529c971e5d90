"""How Events get into an API server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.status.events import EventWriter
from meshctl_operator.status.patches import Stored
from meshctl_operator.status.transitions import EventReason, Transition
from tests.support.clocks import ManualClock
from tests.support.fake_api import FakeApi

STORED = Stored("networking.istio.io/v1", "VirtualService", "shop", "cart", "uid-1", "7")
ACCEPTED = Transition(EventReason.ACCEPTED, "valid")


def writer(api: FakeApi) -> EventWriter:
    """Return a writer to a pretended server."""
    return EventWriter(cast("Connection", api), ManualClock(), "one")


async def write_all(events: EventWriter) -> None:
    """Write what waits."""
    while events._waiting:
        events.write(*events._waiting.popleft())


def stored(api: FakeApi) -> list[dict[str, Any]]:
    """Return the Events that there are."""
    return list(api.documents.values())


async def test_an_event_is_about_its_object() -> None:
    """With reason, message and type, as ``kubectl describe`` shows it."""
    events = writer(api := FakeApi())
    running = asyncio.create_task(events.run())
    events.tell(STORED, [ACCEPTED, Transition(EventReason.CONFLICT, "another wins")])
    while len(api.documents) < 2:  # noqa: ASYNC110  (threads announce nothing)
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    normal, warning = stored(api)
    assert (normal["reason"], normal["message"], normal["type"]) == ("Accepted", "valid", "Normal")
    assert (warning["reason"], warning["type"]) == ("Conflict", "Warning")
    assert normal["involvedObject"]["uid"] == "uid-1"
    assert normal["metadata"]["namespace"] == "shop"
    assert normal["metadata"]["name"].startswith("cart.")


async def test_the_same_event_again_raises_the_count() -> None:
    """Also that of a leader before us; one that expired is written anew."""
    events = writer(api := FakeApi())
    for _ in range(2):
        events.tell(STORED, [ACCEPTED])
    await write_all(events)
    assert [event["count"] for event in stored(api)] == [2]
    another = writer(api)
    another.tell(STORED, [ACCEPTED])
    await write_all(another)
    assert len(stored(api)) == 1
    api.documents.clear()
    another.tell(STORED, [ACCEPTED])
    await write_all(another)
    assert [event["count"] for event in stored(api)] == [2]


async def test_trouble_leaves_events_out() -> None:
    """Nobody waits for them."""
    events = writer(api := FakeApi())
    api.fail = ApiFailure("away", 503)
    events.tell(STORED, [ACCEPTED])
    events.tell(STORED, [ACCEPTED])
    await write_all(events)
    assert not stored(api)


@pytest.mark.parametrize("length", [10, 253])
async def test_names_are_never_too_long(length: int) -> None:
    """An API server takes 253 characters."""
    events = writer(api := FakeApi())
    events.tell(replace(STORED, name="n" * length), [ACCEPTED])
    await write_all(events)
    assert len(stored(api)[0]["metadata"]["name"]) <= 253
