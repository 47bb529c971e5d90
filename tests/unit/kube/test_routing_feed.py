"""Events from a Kopf that somebody else runs."""

from __future__ import annotations

import asyncio

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.kube.bridge import Bridge
from meshctl_operator.kube.routing_feed import RoutingFeed
from meshctl_operator.kube.routing_index import RoutingIndex

RAW = {"metadata": {"name": "a", "namespace": "default", "uid": "u", "resourceVersion": "1"}}


async def test_events_go_to_whoever_is_attached() -> None:
    """Before and after that they are dropped: the lists of the source find them."""
    feed, asked = RoutingFeed(), []
    index = RoutingIndex(Bridge(asyncio.get_running_loop()))
    info = KINDS[Kind.GATEWAY]
    feed.event(info, "ADDED", RAW)
    assert not index.holds(info)
    feed.attach(index, lambda: asked.append(1))
    feed.event(info, None, RAW)
    assert index.holds(info)
    assert asked == [1]
    feed.detach()
    feed.event(info, "DELETED", RAW)
    assert index.holds(info)
