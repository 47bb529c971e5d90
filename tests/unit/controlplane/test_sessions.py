"""A session tells its stream what to serve, and its listener what the proxy says."""

from __future__ import annotations

from weakref import ref

import pytest

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push, Sent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        """Start empty."""
        self.heard: list[str] = []

    def connected(self, session: ProxySession) -> None:
        """Remember."""
        self.heard.append(f"connected {session.proxy_id}")

    def pushed(self, session: ProxySession, push: Push) -> None:
        """Remember."""
        self.heard.append(f"pushed {session.proxy_id} {push.type_url.short}")

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Remember."""
        self.heard.append(f"acked {session.proxy_id} {event.type_url.short}")

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Remember."""
        self.heard.append(f"nacked {session.proxy_id} {event.type_url.short}")

    def outdated(self, session: ProxySession, type_url: TypeUrl) -> None:
        """Remember."""
        self.heard.append(f"outdated {session.proxy_id} {type_url.short}")

    def overdue(self, session: ProxySession, overdue: Overdue) -> None:
        """Remember."""
        self.heard.append(f"overdue {session.proxy_id} {overdue.name}")

    def idle(self, session: ProxySession) -> None:
        """Remember."""
        self.heard.append(f"idle {session.proxy_id}")

    def closed(self, session: ProxySession) -> None:
        """Remember."""
        self.heard.append(f"closed {session.proxy_id}")


def session(listener: Recorder | None = None) -> ProxySession:
    """Return an open session."""
    return ProxySession(NodeInfo("sidecar~10.0.0.1~a.b~b.svc.cluster.local"), "delta", "ipv4:127.0.0.1:1", 0.0, listener or Recorder())


def served(state: ViewState) -> Served:
    """Return something to serve."""
    return Served(Proxy(ProxyRole.SIDECAR, "a", "b"), CompiledProxy({}, ()), state)


class FakeStream:
    """A stream that counts how often it was woken, and holds one cluster."""

    def __init__(self) -> None:
        """Start untouched."""
        self.woken = 0

    def changed(self) -> None:
        """Count."""
        self.woken += 1

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether anything is held."""
        return self.held(type_url) is not None

    def held(self, type_url: TypeUrl) -> dict[str, str] | None:
        """Return what is held."""
        return {"x": "1"} if type_url is TypeUrl.CLUSTER else None

    def accepted(self, type_url: TypeUrl) -> ShardedMap[XdsResource]:
        """Return nothing."""
        assert type_url in TypeUrl
        return EMPTY_MAP


def test_a_stream_is_woken_when_there_is_another_state() -> None:
    """Each other state wakes it; the same one wakes nobody, nor does any before there is a stream, or after."""
    here, stream, state = session(), FakeStream(), ViewState(1, {})
    here.update(served(state))
    here.attach(stream)
    here.update(served(state))
    assert stream.woken == 0
    here.update(served(ViewState(2, {})))
    assert stream.woken == 1
    here.closed()
    here.update(served(ViewState(3, {})))
    assert stream.woken == 1


def test_what_is_written_is_told() -> None:
    """Each response that was written is told to the listener."""
    listener = Recorder()
    here = session(listener)
    resources: ShardedMap[XdsResource] = ShardedMap.of({})
    here.pushed(Push(TypeUrl.CLUSTER, 1, (), (), Sent("1", 1, {}), b"", ref(resources)))
    assert listener.heard == ["pushed a.b CDS"]


def test_requests_that_answer_nothing_are_told() -> None:
    """They are counted by whoever listens."""
    listener = Recorder()
    session(listener).outdated(TypeUrl.CLUSTER)
    assert listener.heard == ["outdated a.b CDS"]


def test_it_is_settled_when_the_newest_state_was_answered() -> None:
    """The same revision is told once."""
    listener = Recorder()
    here = session(listener)
    assert not here.settled
    here.update(served(ViewState(1, {})))
    here.idle(1)
    here.idle(1)
    assert here.settled
    here.update(served(ViewState(2, {})))
    assert not here.settled
    assert listener.heard == ["idle a.b"]


def test_what_the_proxy_rejects_is_kept() -> None:
    """An accepted response clears the rejection of its type."""
    listener = Recorder()
    here = session(listener)
    here.nacked(NackEvent(TypeUrl.CLUSTER, 2, {"x": "2"}, "bad", "n"))
    assert here.rejected == {TypeUrl.CLUSTER: "bad"}
    here.acked(AckEvent(TypeUrl.CLUSTER, 3, {"y": None}))
    assert here.rejected == {}
    here.closed()
    assert listener.heard == ["nacked a.b CDS", "acked a.b CDS", "closed a.b"]


def test_what_the_proxy_holds_is_known_to_its_stream() -> None:
    """Only types that the proxy was told of are there, and nothing before there is a stream."""
    here = session()
    assert here.held == {}
    here.attach(FakeStream())
    assert here.held == {TypeUrl.CLUSTER: {"x": "1"}}


def test_a_node_that_cannot_be_served_opens_no_session() -> None:
    """The stream ends with the reason."""
    with pytest.raises(ProtocolViolation):
        ProxySession(NodeInfo("nobody"), "sotw", "", 0.0, Recorder())
