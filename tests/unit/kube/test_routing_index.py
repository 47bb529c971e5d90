"""Two threads write: neither may undo what the other knows better."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Bridge
from meshctl_operator.kube.routing_index import RoutingIndex

INFO = KINDS[Kind.GATEWAY]
KEY = ObjectKey("Gateway", "default", "a")


def raw(version: str, uid: str = "u", name: str = "a") -> dict[str, Any]:
    """Return a Gateway."""
    return {"metadata": {"name": name, "namespace": "default", "uid": uid, "resourceVersion": version}}


class Index(RoutingIndex):
    """An index with a look at what it tells."""

    def __init__(self) -> None:
        """Start empty."""
        self.bridge = Bridge(asyncio.get_running_loop())
        super().__init__(self.bridge)

    @property
    def version(self) -> str | None:
        """What was told last about the Gateway: its version, None for gone; ``nothing`` if nothing was since the last look."""
        if KEY not in self.bridge._delivery.objects:
            return "nothing"
        told = self.bridge._delivery.objects.pop(KEY)
        return None if told is None else str(told["metadata"]["resourceVersion"])


@pytest.fixture
async def index() -> Index:
    """Return an index that was told version 5 of a Gateway."""
    made = Index()
    made.event(INFO, "ADDED", raw("5"))
    assert made.version == "5"
    return made


async def test_events_that_are_old_or_known_are_not_told(index: Index) -> None:
    """Kopf lists what a list of ours has told already."""
    for known in ("5", "4"):
        index.event(INFO, None, raw(known))
        index.event(INFO, "MODIFIED", raw(known))
        assert index.version == "nothing"
    index.event(INFO, "MODIFIED", raw("6"))
    assert index.version == "6"


async def test_an_object_made_anew_is_news_whatever_its_version(index: Index) -> None:
    """And the late deletion of its predecessor is not."""
    index.event(INFO, None, raw("5", uid="other"))
    assert index.version == "5"
    index.event(INFO, "DELETED", raw("9", uid="u"))
    assert index.version == "nothing"
    index.event(INFO, "DELETED", raw("9", uid="other"))
    assert index.version is None
    assert not index.holds(INFO)


async def test_a_list_overrules_what_was_told_before_it(index: Index) -> None:
    """Also with a lower version, as after a restored backup."""
    mark = index.mark
    assert index.different({KEY: ("u", "3")}, mark) == (KEY,)
    assert index.replace(INFO, [raw("3")], mark) == 1
    assert index.version == "3"
    assert index.replace(INFO, [], index.mark) == 1
    assert index.version is None


async def test_a_list_does_not_overrule_what_was_told_since(index: Index) -> None:
    """An event that came while the list was fetched is newer."""
    mark = index.mark
    index.event(INFO, "MODIFIED", raw("6"))
    index.event(INFO, "ADDED", raw("7", name="b", uid="v"))
    assert index.version == "6"
    assert index.different({KEY: ("u", "5")}, mark) == ()
    assert index.replace(INFO, [raw("5")], mark) == 0
    assert index.version == "nothing"
    assert index.holds(INFO)


async def test_repairs_of_single_objects(index: Index) -> None:
    """Gone, equal, and new."""
    assert not index.repair(KEY, raw("5"), index.mark)
    assert index.repair(KEY, raw("6"), index.mark)
    assert index.repair(KEY, None, index.mark)
    assert not index.repair(KEY, None, index.mark)
    assert index.version is None
