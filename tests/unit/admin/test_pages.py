"""Debug pages say what a proxy should hold, and never what is secret."""

from __future__ import annotations

import json
from collections.abc import Mapping

from meshctl_operator.admin.pages import REDACTED, config_dump, connection, quarantined, sync_status, trace
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource, compiled_resource
from meshctl_operator.controlplane.nodes import read_proxy
from meshctl_operator.controlplane.pipeline import ResourceTrace, Served
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.xds.events import NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.quarantine import ClientKind, Held, Rejection
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.state import ViewState
from tests.support.clocks import ManualClock

NODE = NodeInfo("sidecar~10.0.0.1~a.b~b.svc.cluster.local", user_agent="envoy", version=(1, 40, 0))
SENTINEL = b"-----SENTINEL KEY-----"
KEY = ObjectKey("Service", "b", "a")


class Holding:
    """A stream whose client holds what the test says."""

    def __init__(self, **held: Mapping[ResourceName, ContentHash]) -> None:
        """Say what it holds, by the short names of the types."""
        self.by_type = held

    def changed(self) -> None:
        """Do nothing."""

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether anything is held."""
        return self.held(type_url) is not None

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None:
        """Return what was said."""
        return self.by_type.get(type_url.short)

    def accepted(self, type_url: TypeUrl) -> ShardedMap[XdsResource]:
        """Return that nothing of a type was accepted."""
        assert type_url in TypeUrl
        return EMPTY_MAP


def test_what_is_quarantined() -> None:
    """With what the proxy says, where it comes from, what is served instead and what to do; no contents."""
    place = Rejection(ClientKind("1.40.0", "x"), TypeUrl.SECRET, "kubernetes://a", "2")
    good = make_resource(TypeUrl.SECRET, "kubernetes://a", SENTINEL, "1")
    page = quarantined(Held(place, "no", ("Secret/b/a",), instead=good, needs=(good,), since=3.0, not_before=12.0), 10.0)
    assert page == {
        "type": "SDS",
        "name": "kubernetes://a",
        "version": "2",
        "envoy": "1.40.0",
        "extensions": "x",
        "objects": ["Secret/b/a"],
        "error": "no",
        "last_good": "1",
        "kept": ["SDS kubernetes://a"],
        "rejections": 1,
        "seconds": 7.0,
        "not_tried_before_seconds": 2.0,
        "way_out": "the last good version is served until one of its objects changes",
    }


def session() -> ProxySession:
    """Return a session without state."""
    return ControlPlane(Settings(), [], clock=ManualClock(10.0)).connect(NODE, "delta", "ipv4:127.0.0.1:1")


def resource(type_url: TypeUrl, name: str, body: bytes = b"") -> CompiledResource:
    """Return a resource of one object."""
    return compiled_resource(type_url, name, body, ((KEY,),))


def served(*resources: CompiledResource, whole: tuple[CompiledResource, ...] = ()) -> Served:
    """Return something to serve; ``whole`` are the route configurations of its other form."""
    split = {
        type_url: ShardedMap.of((each.name, each) for each in resources if each.type_url is type_url)
        for type_url in dict.fromkeys(each.type_url for each in resources)
    }
    compiled = CompiledProxy(split, (), (lambda: ShardedMap.of((each.name, each) for each in whole)) if whole else None)
    return Served(read_proxy(NODE).proxy, compiled, ViewState(3, split, (lambda: compiled.resources) if whole else None))


def statuses(here: ProxySession) -> dict[str, str]:
    """Return the status of each type."""
    types = sync_status(here)["types"]
    assert isinstance(types, dict)
    return {name: row["status"] for name, row in types.items()}


def test_connections_say_who_is_there() -> None:
    """With the version of Envoy and for how long."""
    page = connection(session(), 12.5)
    assert (page["proxy"], page["envoy"], page["seconds"], page["protocol"]) == ("a.b", "1.40.0", 2.5, "delta")


def test_sync_status_of_each_type() -> None:
    """Nothing sent, in sync, behind, rejected."""
    here = session()
    assert sync_status(here)["revision"] is None
    assert set(statuses(here).values()) == {"NOT SENT"}
    route = resource(TypeUrl.ROUTE, "r1")
    here.update(served(resource(TypeUrl.CLUSTER, "c1"), route, resource(TypeUrl.ROUTE, "r2")))
    here.attach(Holding(CDS={"c1": "old"}, RDS={"r1": route.version}))
    here.nacked(NackEvent(TypeUrl.LISTENER, 3, {}, "bad", "1"))
    assert statuses(here) == {
        "CDS": "STALE",
        "EDS": "NOT SENT",
        "LDS": "ERROR",
        "RDS": "SYNCED",
        "VHDS": "NOT SENT",
        "SDS": "NOT SENT",
    }


def test_a_type_that_is_asked_for_as_a_whole_must_be_whole() -> None:
    """A proxy that lacks a cluster is behind; one that asked for one route only is not."""
    here = session()
    one, two = resource(TypeUrl.CLUSTER, "c1"), resource(TypeUrl.CLUSTER, "c2")
    here.update(served(one, two))
    here.attach(Holding(CDS={"c1": one.version}))
    assert statuses(here)["CDS"] == "STALE"
    here.attach(Holding(CDS={"c1": one.version, "c2": two.version}))
    assert statuses(here)["CDS"] == "SYNCED"
    here.attach(Holding(CDS={"c1": one.version, "c2": two.version, "c3": "gone"}))
    assert statuses(here)["CDS"] == "STALE"


def test_routes_may_be_held_in_either_form() -> None:
    """Split, or whole."""
    here = session()
    split, whole = resource(TypeUrl.ROUTE, "r", b"1"), resource(TypeUrl.ROUTE, "r", b"2")
    here.update(served(split, whole=(whole,)))
    for form, expected in ((split.version, "SYNCED"), (whole.version, "SYNCED"), ("other", "STALE")):
        here.attach(Holding(RDS={"r": form}))
        assert statuses(here)["RDS"] == expected


def test_config_dump_shows_messages_and_provenance_but_no_secrets() -> None:
    """A sentinel in a secret never shows."""
    assert config_dump("a.b", None, {}) == {"proxy": "a.b", "revision": None, "resources": {}}
    cluster = b"\n\x02c1"  # envoy.config.cluster.v3.Cluster{name: "c1"}
    shown = served(resource(TypeUrl.CLUSTER, "c1", cluster), resource(TypeUrl.SECRET, "key", SENTINEL))
    page = json.dumps(config_dump("a.b", 3, shown.compiled.resources))
    assert json.loads(page)["resources"]["CDS"][0]["resource"] == {"name": "c1"}
    assert json.loads(page)["resources"]["CDS"][0]["objects"] == ["Service/b/a"]
    assert json.loads(page)["resources"]["SDS"][0]["resource"] == REDACTED
    assert "SENTINEL" not in page


def test_a_trace_says_why_and_for_whom() -> None:
    """Only proxies that should hold this very version."""
    one, other = session(), session()
    cluster = resource(TypeUrl.CLUSTER, "c1")
    one.update(served(cluster))
    other.update(served(resource(TypeUrl.CLUSTER, "c1", b"other")))
    found = ResourceTrace(TypeUrl.CLUSTER, "c1", cluster.version, (KEY,), 7, ("cluster(c1)", "services b/a"))
    assert trace(found, [one, other, session()]) == {
        "type": "CDS",
        "name": "c1",
        "version": cluster.version,
        "objects": ["Service/b/a"],
        "recomputed_at": 7,
        "because": ["cluster(c1)", "services b/a"],
        "proxies": ["a.b"],
    }
