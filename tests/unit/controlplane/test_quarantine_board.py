"""What proxies reject is held, counted, told and kept on disk; and who is believed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pytest

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.quarantine_board import QuarantineBoard, way_out
from meshctl_operator.controlplane.quarantine_store import QuarantineStore
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.quarantine import FIRST_WAIT
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.clocks import ManualClock
from tests.support.fleet import decoded
from tests.support.meshes import istio
from tests.unit.xds.test_route_pieces import domains_of, routes

CDS = TypeUrl.CLUSTER
KEY = ObjectKey("DestinationRule", "default", "reviews")


class Accepting:
    """A stream whose client has accepted what the test says."""

    def __init__(self, *accepted: XdsResource) -> None:
        """Say what."""
        self.accepted_state = view_state(1, accepted)
        self.looks = 0

    def changed(self) -> None:
        """Count that there is something to look at."""
        self.looks += 1

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None:
        """Return nothing."""
        return {} if type_url in TypeUrl else None

    def knows(self, type_url: TypeUrl) -> bool:
        """Return that the client was told of every type."""
        return type_url in TypeUrl

    def accepted(self, type_url: TypeUrl) -> ShardedMap[XdsResource]:
        """Return what was accepted."""
        return self.accepted_state.of(type_url)


class Rig:
    """A board with some sessions; resources come from one DestinationRule."""

    def __init__(self, folder: Path | None = None, timeout: str = "1s") -> None:
        """Start without sessions."""
        self.clock, self.telemetry = ManualClock(), Telemetry()
        self.sessions: list[ProxySession] = []
        self.timeout = timeout
        self.board = QuarantineBoard(folder, self.telemetry, self.clock, lambda: self.sessions, self._held, lambda *_: lambda _: (KEY,))
        self.quarantine = self.board.quarantine

    def _held(self, key: ObjectKey) -> Upsert | None:
        assert key == KEY
        policy = {"connectionPool": {"tcp": {"connectTimeout": self.timeout}}}
        return decoded(istio("DestinationRule", "reviews", {"host": "reviews", "trafficPolicy": policy}))

    def open(self, *accepted: XdsResource, proven: bool = True) -> ProxySession:
        """Return a session of a client that has accepted these."""
        node = NodeInfo("sidecar~10.0.0.1~a.b~b.svc.cluster.local", version=(1, 40, 0))
        session = ProxySession(node, "sotw", "", 0.0, ControlPlane(Settings(), []), self.quarantine)
        session.attach(Accepting(*accepted))
        session.proven = proven
        self.sessions.append(session)
        return session

    def reject(self, session: ProxySession, version: str | None = "2", name: str = "a", type_url: TypeUrl = CDS) -> tuple[str, ...]:
        """Have a client reject a version."""
        return self.board.nacked(session, NackEvent(type_url, 2, {name: version}, "no", "1"))

    def names(self) -> list[str]:
        """Return what is held."""
        return [held.rejection.name for held in self.quarantine.entries()]


def cluster(version: str, name: str = "a") -> XdsResource:
    """Return a cluster."""
    return make_resource(CDS, name, b"", version)


async def test_a_rejection_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """In the log with object, resource, text and way out, as a metric, and as a finding about the object; all look again."""
    rig = Rig()
    one, two = rig.open(cluster("1")), rig.open(cluster("1"))
    with caplog.at_level(logging.INFO):
        assert rig.reject(one) == ("a",)
        assert rig.reject(two) == ("a",)
    (record,) = [record for record in caplog.records if record.message == "quarantined"]
    facts = vars(record)
    assert (facts["objects"], facts["resource"], facts["detail"], facts["last_good"]) == ([str(KEY)], "a", "no", "1")
    assert "until one of its objects changes" in facts["hint"]
    assert rig.telemetry.quarantined.of("CDS").value == 1
    (finding,) = rig.board.findings()
    assert (finding.subject, finding.code) == (KEY, "MC3001")
    assert "no" in finding.message
    assert rig.board.findings() is rig.board.findings()
    assert len(rig.board.objects_changed([KEY])) == 1
    assert (rig.board.findings(), rig.telemetry.quarantined.of("CDS").value) == ((), 0)
    assert rig.board.objects_changed([KEY]) == ()


async def test_who_never_accepted_anything_is_not_believed_yet() -> None:
    """As soon as it accepts something it is."""
    rig = Rig()
    session = rig.open(proven=False)
    assert rig.reject(session) == ()
    rig.board.acked(session, AckEvent(TypeUrl.LISTENER, 1, {"x": "1"}))
    assert rig.names() == ["a"]
    assert way_out(rig.quarantine.entries()[0]).startswith("there is no good version")


@pytest.mark.parametrize("version", ["1", None], ids=["what it accepted", "nothing new"])
async def test_who_rejects_everything_is_not_believed_any_more(version: str | None) -> None:
    """What is held for its word alone is served again, and it is not listened to."""
    rig = Rig()
    session = rig.open(cluster("1"))
    rig.reject(session)
    assert rig.names() == ["a"]
    assert rig.reject(session, version) == ()
    assert rig.names() == []
    assert rig.reject(session, "3") == ()


async def test_what_another_proxy_accepts_is_good() -> None:
    """Whether it accepted it before the rejection, or does afterwards."""
    rig = Rig()
    first, second = rig.open(cluster("2")), rig.open(cluster("1"))
    assert rig.reject(second) == ()
    assert rig.reject(second, "3") == ("a",)
    rig.board.acked(first, AckEvent(CDS, 2, {"a": "3"}))
    assert rig.names() == []


async def test_what_is_held_survives_a_restart(tmp_path: Path) -> None:
    """And is tried again if the object has changed meanwhile."""
    rig = Rig(tmp_path)
    rig.reject(rig.open(cluster("1")))
    rig.reject(rig.open(cluster("1", "b")), "2", "b")
    rig.board.close()
    assert [held.rejection.name for held in QuarantineStore(tmp_path).load()] == ["a", "b"]
    same, other = Rig(tmp_path), Rig(tmp_path, timeout="2s")
    assert same.board.synced() == ()
    assert (same.names(), same.telemetry.quarantined.of("CDS").value) == (["a", "b"], 2)
    assert [held.rejection.name for held in other.board.synced()] == ["a", "b"]
    other.board.close()
    assert QuarantineStore(tmp_path).load() == ()


async def test_a_loop_of_rejections_waits() -> None:
    """What was rejected again after a change is tried with a delay, also if nothing changes any more."""
    rig = Rig()
    session = rig.open(cluster("1"))
    rig.reject(session)
    rig.board.objects_changed([KEY])
    rig.reject(session)
    assert rig.board.objects_changed([KEY]) == ()
    assert rig.quarantine.next_due() == rig.clock.monotonic() + FIRST_WAIT
    rig.clock.advance(FIRST_WAIT)
    assert len(rig.board.objects_changed([])) == 1
    rig.board.close()


async def test_one_virtual_host_is_found_in_a_whole_route_configuration() -> None:
    """The proxy is served others until it is clear which one it is; that one is held for all of its kind."""
    rig = Rig()
    old, new = routes(a="1", b="1", c="1", d="1"), routes(a="2", b="2", c="bad", d="2")
    session, other = rig.open(old), rig.open(old)
    for each in (session, other):
        each.update(Served(each.declared.proxy, CompiledProxy({}), view_state(2, [new])))
    stream = Accepting(old)
    session.attach(stream)
    for _ in range(20):
        served = route_of(session.state)
        if "bad" in domains_of(served).values():
            rig.reject(session, served.version, "80", TypeUrl.ROUTE)
        else:
            stream.accepted_state = view_state(2, [served])
            rig.board.acked(session, AckEvent(TypeUrl.ROUTE, 2, {"80": served.version}))
        if not session.searches:
            break
    assert rig.names() == ["80/c"]
    for each in (session, other):
        assert domains_of(route_of(each.state)) == {"a": "2", "b": "2", "c": "1", "d": "2"}


def route_of(state: ViewState | None) -> XdsResource:
    """Return the route configuration of a state."""
    assert state is not None
    return state.of(TypeUrl.ROUTE)["80"]
