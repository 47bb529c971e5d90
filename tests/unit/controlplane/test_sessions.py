"""A session tells its stream what to serve, and its listener what the proxy says."""

from __future__ import annotations

import asyncio

import pytest

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState


class Recorder:
    """A listener that remembers."""

    def __init__(self) -> None:
        """Start empty."""
        self.heard: list[str] = []

    def connected(self, session: ProxySession) -> None:
        """Remember."""
        self.heard.append(f"connected {session.proxy_id}")

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """Remember."""
        self.heard.append(f"acked {session.proxy_id} {event.type_url.short}")

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """Remember."""
        self.heard.append(f"nacked {session.proxy_id} {event.type_url.short}")

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


async def test_a_stream_waits_until_there_is_another_state() -> None:
    """At first for any state; an equal state wakes nobody."""
    here, state = session(), ViewState(1, {})
    waiting = asyncio.create_task(here.wait_changed(-1))
    await asyncio.sleep(0)
    assert not waiting.done()
    here.update(served(state))
    await waiting
    waiting = asyncio.create_task(here.wait_changed(1))
    here.update(served(state))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    here.update(served(ViewState(2, {})))
    await waiting


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


def test_what_the_proxy_holds_and_rejects_is_kept() -> None:
    """An accepted response clears the rejection of its type."""
    listener = Recorder()
    here = session(listener)
    here.acked(AckEvent(TypeUrl.CLUSTER, 1, {"x": "1", "y": "1"}))
    here.nacked(NackEvent(TypeUrl.CLUSTER, 2, {"x": "2"}, "bad", "n"))
    assert here.rejected == {TypeUrl.CLUSTER: "bad"}
    here.acked(AckEvent(TypeUrl.CLUSTER, 3, {"y": None}))
    assert (here.held, here.rejected) == ({TypeUrl.CLUSTER: {"x": "1"}}, {})
    here.closed()
    assert listener.heard == ["acked a.b CDS", "nacked a.b CDS", "acked a.b CDS", "closed a.b"]


def test_a_node_that_cannot_be_served_opens_no_session() -> None:
    """The stream ends with the reason."""
    with pytest.raises(ProtocolViolation):
        ProxySession(NodeInfo("nobody"), "sotw", "", 0.0, Recorder())
