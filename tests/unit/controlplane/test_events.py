"""Events reach every subscriber; their JSON is public."""

from __future__ import annotations

import json

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane import events
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY

KEY = ObjectKey("VirtualService", "default", "reviews")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (events.Listening("127.0.0.1:1", "127.0.0.1:2"), {"event": "listening", "xds": "127.0.0.1:1", "http": "127.0.0.1:2"}),
        (events.Listening("a:1", "a:2", "a:3"), {"event": "listening", "xds": "a:1", "http": "a:2", "webhook": "a:3"}),
        (events.Synced(42, 2), {"event": "synced", "objects": 42}),
        (
            events.ConfigApplied(7, (KEY,), (KEY,), 3, (REJECTED_BY_PROXY.error(KEY, "", "x"),), 1, 1.26),
            {"event": "config", "revision": 7, "changed": [str(KEY)], "rejected": [str(KEY)], "resources": 3, "ms": 1.3, "healed": 1},
        ),
        (
            events.Acked("p.ns", "RDS", 7, 12.14),
            {"event": "ack", "proxy": "p.ns", "type": "RDS", "revision": 7, "ms": 12.1, "detail": None},
        ),
        (
            events.Nacked("p.ns", "LDS", 7, 1.0, "no", ("x",), (KEY,)),
            {
                "event": "nack",
                "proxy": "p.ns",
                "type": "LDS",
                "revision": 7,
                "ms": 1.0,
                "detail": "no",
                "resources": ["x"],
                "objects": [str(KEY)],
            },
        ),
        (events.Connected("p.ns", "delta"), {"event": "connected", "proxy": "p.ns", "protocol": "delta"}),
        (events.Disconnected("p.ns"), {"event": "disconnected", "proxy": "p.ns"}),
    ],
)
def test_json_has_the_public_fields(event: events.Event, expected: dict[str, object]) -> None:
    """It can be printed, and has what people script against."""
    shown = json.loads(json.dumps(event.to_json()))
    assert {name: shown[name] for name in expected} == expected


async def test_every_subscriber_gets_every_event_until_the_end() -> None:
    """Events from before the subscription are not repeated; a late subscriber of an ended bus ends at once."""
    bus = events.EventBus()
    bus.emit(events.Disconnected("early"))
    with bus.subscribe() as one, bus.subscribe() as two:
        bus.emit(events.Disconnected("p"))
        bus.end()
        assert [event async for event in one] == [event async for event in two] == [events.Disconnected("p")]
    with bus.subscribe() as late:
        assert [event async for event in late] == []


async def test_leaving_the_block_ends_the_subscription() -> None:
    """Who still iterates it is not left waiting."""
    bus = events.EventBus()
    with bus.subscribe() as subscription:
        pass
    assert [event async for event in subscription] == []


async def test_a_slow_subscriber_loses_the_oldest() -> None:
    """A queue has a bound."""
    bus = events.EventBus()
    with bus.subscribe() as subscription:
        for number in range(events.QUEUE_BOUND + 5):
            bus.emit(events.Synced(number, 1))
        assert await anext(subscription) == events.Synced(5, 1)


async def test_a_subscriber_may_ask_for_some_types_only() -> None:
    """Events that nobody asks for need not even be made."""
    bus = events.EventBus()
    assert not bus.wants(events.Acked)
    with bus.subscribe(events.Synced, events.Nacked) as subscription:
        assert bus.wants(events.Synced)
        assert not bus.wants(events.Acked)
        bus.emit(events.Disconnected("p"))
        bus.emit(events.Synced(1, 1))
        assert subscription.take() == (events.Synced(1, 1),)
        with bus.subscribe():
            assert bus.wants(events.Acked)
