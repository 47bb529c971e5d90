"""The last word about each object crosses from threads to the loop."""

from __future__ import annotations

import asyncio

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge, Delivery, Happening

KEY = ObjectKey("Service", "default", "a")


async def test_the_last_write_of_a_key_wins() -> None:
    """However much comes in until the loop looks."""
    bridge = Bridge(asyncio.get_running_loop())

    def write() -> None:
        for number in range(1000):
            bridge.put(KEY, {"number": number})
        bridge.put(ObjectKey("Service", "default", "gone"), None)
        bridge.listed("Service")
        bridge.count(Happening.DRIFT, "Service", 3)

    await asyncio.to_thread(write)
    delivery = await bridge.take()
    assert delivery.objects == {KEY: {"number": 999}, ObjectKey("Service", "default", "gone"): None}
    assert delivery.listed == ["Service"]
    assert delivery.happened == {(Happening.DRIFT, "Service"): 3}


async def test_taking_waits_until_there_is_something() -> None:
    """And wakes once more for what comes after a look."""
    bridge = Bridge(asyncio.get_running_loop())
    taking = asyncio.create_task(bridge.take())
    await asyncio.sleep(0)
    assert not taking.done()
    await asyncio.to_thread(bridge.put, KEY, None)
    assert await taking
    await asyncio.to_thread(bridge.listed, "x")
    assert (await bridge.take()).listed == ["x"]


def test_a_closed_loop_is_no_error() -> None:
    """A thread that ends late talks to nobody."""
    loop = asyncio.new_event_loop()
    bridge = Bridge(loop)
    loop.close()
    bridge.put(KEY, None)


def test_an_empty_delivery_is_false() -> None:
    """One with anything in it is not."""
    assert not Delivery()
    assert Delivery(listed=["x"])
