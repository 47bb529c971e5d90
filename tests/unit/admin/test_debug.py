"""Debug pages find what is asked for, and say what was meant where they do not."""

from __future__ import annotations

import pytest

from meshctl_operator.admin.debug import DebugPages, only
from meshctl_operator.admin.refusals import Refusal
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.nodes import NodeInfo
from tests.support.clocks import ManualClock
from tests.support.meshes import service

CLUSTER = "outbound|9080||reviews.default.svc.cluster.local"


def connect(plane: ControlPlane, name: str, protocol: XdsProtocol = "delta") -> None:
    """Open a stream that never says anything."""
    plane.connect(NodeInfo(f"sidecar~10.0.0.1~{name}~b.svc.cluster.local"), protocol, "ipv4:127.0.0.1:1")


def pages(plane: ControlPlane) -> DebugPages:
    """Return the pages of a control plane."""
    return DebugPages(plane, ManualClock())


async def test_rows_are_of_all_proxies_or_of_the_one_asked_for() -> None:
    """By name or node ID, under istiod's parameter or the short one; of two streams the newer comes first."""
    plane = ControlPlane(Settings(), [])
    debug = pages(plane)
    connect(plane, "a.b")
    connect(plane, "c.b")
    connect(plane, "a.b", "sotw")
    rows = await debug.connections({})
    assert isinstance(rows, list)
    assert [row["proxy"] for row in rows] == ["a.b", "c.b", "a.b"]
    for query in ({"proxy": "a.b"}, {"proxyID": "a.b"}, {"proxyID": "sidecar~10.0.0.1~a.b~b.svc.cluster.local"}):
        rows = await debug.connections(query)
        assert isinstance(rows, list)
        assert [row["protocol"] for row in rows] == ["sotw", "delta"]
        rows = await debug.syncz(query)
        assert isinstance(rows, list)
        assert [row["proxy"] for row in rows] == ["a.b", "a.b"]


async def test_a_proxy_that_is_not_connected() -> None:
    """With the one that was meant, and those that are there."""
    plane = ControlPlane(Settings(), [])
    connect(plane, "productpage-v1.b")
    with pytest.raises(Refusal, match=r'proxy "productpage.b" is not connected') as caught:
        await pages(plane).syncz({"proxyID": "productpage.b"})
    assert caught.value.status == 404
    assert caught.value.body["hint"] == "did you mean productpage-v1.b?"
    assert caught.value.body["proxies"] == ["productpage-v1.b"]


async def test_a_dump_needs_a_proxy_and_is_empty_before_it_is_served() -> None:
    """Without one it says which there are."""
    plane = ControlPlane(Settings(), [])
    connect(plane, "a.b")
    with pytest.raises(Refusal, match=r"which proxy\?") as caught:
        await pages(plane).config_dump({})
    assert (caught.value.status, caught.value.body["proxies"]) == (400, ["a.b"])
    assert await pages(plane).config_dump({"proxyID": "a.b"}) == {"proxy": "a.b", "revision": None, "resources": {}}


async def test_the_graph_of_a_resource() -> None:
    """Its name is needed, and one that nobody has is answered with those that contain it."""
    source = MemorySource(service("reviews"))
    async with ControlPlane(Settings(settle_timeout=0.05), [source]) as plane:
        connect(plane, "a.b")
        await plane.settled()
        debug = pages(plane)
        with pytest.raises(Refusal) as caught:
            await debug.graph({})
        assert caught.value.status == 400
        with pytest.raises(Refusal) as caught:
            await debug.graph({"resource": "reviews"})
        assert caught.value.status == 404
        like = caught.value.body["like"]
        assert isinstance(like, list)
        assert CLUSTER in like
        rows = await debug.graph({"resource": CLUSTER})
        assert isinstance(rows, list)
        assert {row["type"] for row in rows} == {"CDS", "EDS"}
        assert all(row["objects"] and row["because"] and row["proxies"] == ["a.b"] for row in rows)


async def test_findings_are_listed() -> None:
    """Whatever is found now."""
    assert await pages(ControlPlane(Settings(), [])).diagnostics({}) == []


@pytest.mark.parametrize(
    ("name", "allowed", "hint"),
    [
        ("proxyid", ("proxyID", "proxy"), "did you mean proxyID?"),
        ("resurce", ("resource",), "did you mean resource?"),
        ("x", ("proxyID", "proxy"), "it takes proxyID or proxy"),
        ("x", (), "it takes none"),
    ],
)
def test_a_misspelt_parameter_is_not_ignored(name: str, allowed: tuple[str, ...], hint: str) -> None:
    """Or a page for all would look like the answer for one."""
    with pytest.raises(Refusal, match=f'no parameter "{name}"') as caught:
        only({name: "1"}, *allowed)
    assert (caught.value.status, caught.value.body["hint"]) == (400, hint)
