"""What proxies say is counted, timed and told."""

from __future__ import annotations

import logging
from weakref import ref

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.compiler.resources import CompiledProxy, compiled_resource
from meshctl_operator.controlplane.answers import REVISIONS_TIMED, Answers
from meshctl_operator.controlplane.convergence import Wave
from meshctl_operator.controlplane.events import Acked, EventBus, Nacked
from meshctl_operator.controlplane.nodes import read_proxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.telemetry import Telemetry
from meshctl_operator.xds.events import AckEvent, NackEvent, Push, Sent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState
from tests.support.clocks import ManualClock

KEY = ObjectKey("Service", "b", "a")


class Rig:
    """The feedback of some streams."""

    def __init__(self) -> None:
        """Start without streams."""
        self.clock, self.telemetry, self.events = ManualClock(), Telemetry(), EventBus()
        self.caught_up = 0
        self.answers = Answers(self.telemetry, self.events, self.clock, self._note)

    def _note(self) -> None:
        self.caught_up += 1

    def open(self, name: str = "a") -> ProxySession:
        """Open a stream."""
        node = NodeInfo(f"sidecar~10.0.0.1~{name}.b~b.svc.cluster.local")
        session = ProxySession(node, "delta", "ipv4:127.0.0.1:1", self.clock.monotonic(), ControlPlane(Settings(), []))
        self.answers.opened(session)
        return session


def push(revision: int, size: int = 300) -> Push:
    """Return a response."""
    return Push(TypeUrl.ENDPOINT, 1, (), (), Sent("1", revision, {}), b"x" * size, ref(EMPTY_MAP))


def test_a_change_is_timed_from_its_arrival_to_its_last_ack() -> None:
    """By type, by proxy, and as a whole."""
    rig = Rig()
    one, two = rig.open("one"), rig.open("two")
    wave = Wave(rig.clock.monotonic())
    rig.answers.arrived(7, rig.clock.monotonic())
    for session in (one, two):
        rig.answers.reached(session, 7, wave)
    rig.answers.seal(wave)
    rig.clock.advance(0.5)
    for session in (one, two):
        rig.answers.pushed(session, push(7))
    rig.answers.acked(one, AckEvent(TypeUrl.ENDPOINT, 7, {}))
    rig.clock.advance(0.5)
    rig.answers.acked(two, AckEvent(TypeUrl.ENDPOINT, 7, {}))
    telemetry = rig.telemetry
    assert telemetry.pushes.of("EDS").value == 2
    assert telemetry.push_bytes.of("EDS").value == 600
    assert telemetry.push_sizes.of("EDS").count == 2
    assert telemetry.push_seconds.of("EDS").sum == pytest.approx(1.0)
    assert telemetry.acks.of("EDS").value == 2
    assert telemetry.ack_seconds.of("EDS").sum == pytest.approx(1.5)
    assert telemetry.proxy_convergence.sum == pytest.approx(1.5)
    assert telemetry.convergence.count == 1
    assert telemetry.convergence.sum == pytest.approx(1.0)


def test_who_connects_later_is_timed_from_then_on() -> None:
    """What it gets first is no change, and older than the stream."""
    rig = Rig()
    rig.answers.arrived(7, rig.clock.monotonic())
    rig.clock.advance(100)
    session = rig.open()
    rig.answers.reached(session, 7, None)
    rig.clock.advance(0.5)
    rig.answers.acked(session, AckEvent(TypeUrl.ENDPOINT, 7, {}))
    assert rig.telemetry.ack_seconds.of("EDS").sum == pytest.approx(0.5)
    assert rig.telemetry.convergence.count == 0


def test_old_revisions_are_forgotten() -> None:
    """A response to one of them counts from the start of the stream."""
    rig = Rig()
    session = rig.open()
    for revision in range(REVISIONS_TIMED + 1):
        rig.answers.arrived(revision, rig.clock.monotonic())
        rig.clock.advance(1)
    rig.answers.acked(session, AckEvent(TypeUrl.ENDPOINT, 0, {}))
    assert rig.telemetry.ack_seconds.of("EDS").sum == pytest.approx(REVISIONS_TIMED + 1)


def test_acks_are_told_to_those_who_ask() -> None:
    """In milliseconds, with the names."""
    rig = Rig()
    session = rig.open()
    with rig.events.subscribe(Acked) as events:
        rig.clock.advance(0.25)
        rig.answers.acked(session, AckEvent(TypeUrl.ENDPOINT, 7, {"b": "1", "a": None}))
        (told,) = events.take()
    assert isinstance(told, Acked)
    assert (told.proxy, told.type, told.revision, told.resources) == ("a.b", "EDS", 7, ("a", "b"))
    assert told.ms == pytest.approx(250.0)


@pytest.mark.parametrize("type_url", [TypeUrl.CLUSTER, TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST])
def test_rejections_name_the_objects_until_the_proxy_accepts_or_goes(type_url: TypeUrl, caplog: pytest.LogCaptureFixture) -> None:
    """Also those of parts of a route configuration."""
    rig = Rig()
    session = rig.open()
    resources = {kind: ShardedMap.of([("x", compiled_resource(kind, "x", b"", ((KEY,),)))]) for kind in TypeUrl}
    session.update(Served(read_proxy(NodeInfo(session.node_id)).proxy, CompiledProxy(resources, ()), ViewState(7, resources)))
    with caplog.at_level(logging.CRITICAL), rig.events.subscribe() as events:
        rig.answers.nacked(session, NackEvent(type_url, 7, {"x": "1"}, "no such thing\n", "n"))
        (told,) = events.take()
    assert isinstance(told, Nacked)
    assert (told.detail, told.resources, told.objects) == ("no such thing", ("x",), (KEY,))
    assert rig.telemetry.nacks.of(type_url.short).value == 1
    assert [finding.subject for finding in rig.answers.nacks.findings()] == [KEY]
    rig.answers.closed(session)
    assert rig.answers.nacks.findings() == ()


def test_a_proxy_with_two_streams_is_there_until_both_are_gone() -> None:
    """What it rejects holds for that long; one that was never served has no objects to name."""
    rig = Rig()
    one, two = rig.open(), rig.open()
    rig.answers.nacked(one, NackEvent(TypeUrl.CLUSTER, 7, {"x": "1"}, "no", "n"))
    assert rig.telemetry.nacks.total == 1
    rig.answers.closed(one)
    rig.answers.closed(two)
    assert (rig.answers.pace.owed_since(one), rig.answers.pace.owed_since(two)) == (None, None)


def test_answers_tell_when_streams_have_caught_up() -> None:
    """Whatever ends their debt: an ACK, nothing to send, or the end of a stream."""
    rig = Rig()
    sessions = [rig.open(f"p{number}") for number in range(60)]
    for session in sessions:
        rig.answers.reached(session, 7, None)
    assert rig.answers.pace.earliest(rig.clock.monotonic()) > rig.clock.monotonic() + 1e6
    for session in sessions[:20]:
        rig.answers.acked(session, AckEvent(TypeUrl.ENDPOINT, 7, {}))
    for session in sessions[20:40]:
        rig.answers.idle(session, 7)
    assert rig.caught_up == 0
    for session in sessions[40:]:
        rig.answers.closed(session)
    assert rig.caught_up == 1
