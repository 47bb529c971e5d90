"""Open streams: what each proxy should hold, and what it says about it. Implements the seam ``xds.discovery``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from meshctl_operator.controlplane.nodes import DeclaredProxy, read_proxy
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import ContentHash, TypeUrl
from meshctl_operator.xds.state import ViewState

if TYPE_CHECKING:
    from meshctl_operator.controlplane.pipeline import Served


class Listener(Protocol):
    """Who is told what happens on streams."""

    def connected(self, session: ProxySession) -> None:
        """A stream opened; it has no state yet."""
        ...

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """A response was accepted."""
        ...

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """A response was rejected."""
        ...

    def idle(self, session: ProxySession) -> None:
        """Everything was sent and answered for now."""
        ...

    def closed(self, session: ProxySession) -> None:
        """The stream ended."""
        ...


class ProxySession:
    """One stream of a proxy."""

    def __init__(self, node: NodeInfo, protocol: XdsProtocol, peer: str, connected_at: float, listener: Listener) -> None:
        """Read the node. Raises ProtocolViolation if it cannot be served."""
        self.declared: DeclaredProxy = read_proxy(node)
        self.node_id = node.id
        self.envoy = node.version_text
        self.protocol = protocol
        self.peer = peer
        self.connected_at = connected_at
        self.served: Served | None = None
        self.held: dict[TypeUrl, dict[str, ContentHash]] = {}
        self.rejected: dict[TypeUrl, str] = {}
        self._listener = listener
        self._changed = asyncio.Event()
        self._idle_revision = -1

    @property
    def proxy_id(self) -> str:
        """The name of the proxy: ``name.namespace``."""
        return self.declared.proxy.id

    @property
    def state(self) -> ViewState | None:
        """What the proxy should hold now."""
        return self.served.state if self.served is not None else None

    @property
    def settled(self) -> bool:
        """Whether the newest state was sent and answered."""
        return self.served is not None and self._idle_revision == self.served.state.revision

    def update(self, served: Served) -> None:
        """Take what the proxy should hold from now on, and wake the stream if that differs."""
        before, self.served = self.state, served
        if served.state is not before:
            self._changed.set()

    async def wait_changed(self, seen_revision: int) -> None:
        """Return when there is a state other than the one seen."""
        while (state := self.state) is None or state.revision == seen_revision:
            self._changed.clear()
            await self._changed.wait()

    def acked(self, event: AckEvent) -> None:
        """Note what the proxy holds now."""
        held = self.held.setdefault(event.type_url, {})
        for name, version in event.changes.items():
            if version is None:
                held.pop(name, None)
            else:
                held[name] = version
        self.rejected.pop(event.type_url, None)
        self._listener.acked(self, event)

    def nacked(self, event: NackEvent) -> None:
        """Note what the proxy rejected."""
        self.rejected[event.type_url] = event.message
        self._listener.nacked(self, event)

    def idle(self, revision: int) -> None:
        """Note that the state of a revision was sent as far as it is subscribed to, and answered."""
        if self._idle_revision != revision:
            self._idle_revision = revision
            self._listener.idle(self)

    def closed(self) -> None:
        """The stream ended."""
        self._listener.closed(self)
