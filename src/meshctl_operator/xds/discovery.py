"""The seam to whoever knows what a proxy should hold. Implemented by ``controlplane``, used by ``xds.ads``.

``connect`` is called once for each stream, with the first request; the session lives as long as the stream. The callbacks are called on
the event loop of the server, must return soon and must not raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.state import Resources, ViewState

XdsProtocol = Literal["sotw", "delta"]


class Stream(Protocol):
    """The server's side of a session."""

    def changed(self) -> None:
        """Take note that the state of the session is another one: the client is told, as soon as it takes it. Costs next to nothing."""
        ...

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether the client was told anything of a type, or said itself what it holds. Costs next to nothing."""
        ...

    def held(self, type_url: TypeUrl) -> Mapping[ResourceName, ContentHash] | None:
        """Return the version of each name that the client holds; empty for one that it was told and has not answered.

        None for a type that it was told nothing of. Computed when asked, for debug pages.
        """
        ...

    def accepted(self, type_url: TypeUrl) -> Resources:
        """Return what the client was told of a type and has accepted. Computed when asked, after rejections."""
        ...


class Session(Protocol):
    """One connected proxy: what it should hold now, when that changes, and what it says about it."""

    @property
    def state(self) -> ViewState | None:
        """What the proxy should hold now; None until that is known, and nothing is served before."""
        ...

    def attach(self, stream: Stream) -> None:
        """Call ``stream.changed()`` from now on each time that ``state`` is another object; it may be there already.

        Called once, right after ``connect``. Revisions may be skipped: the newest state wins.
        """
        ...

    def pushed(self, push: Push) -> None:
        """Take note of a response that was handed to the transport. It must not be kept, for it holds the body."""
        ...

    def acked(self, event: AckEvent) -> None:
        """Take note of an accepted response."""
        ...

    def nacked(self, event: NackEvent) -> None:
        """Take note of a rejected resource. The rejected version is not sent again on this stream until its content changes."""
        ...

    def outdated(self, type_url: TypeUrl) -> None:
        """Take note of a request that answers no response of the stream, or one that was answered before. It is not answered itself."""
        ...

    def overdue(self, overdue: Overdue) -> None:
        """Take note that something is not waited for any longer."""
        ...

    def idle(self, revision: int) -> None:
        """Take note that all of the state of a revision that the client subscribed to was sent and answered; may be repeated."""
        ...

    def closed(self) -> None:
        """Release what the stream held. Called exactly once; nothing is called afterwards."""
        ...


class Discovery(Protocol):
    """Knows what each proxy should hold."""

    def connect(self, node: NodeInfo, protocol: XdsProtocol, peer: str) -> Session:
        """Register a stream and return its session. Raises ProtocolViolation for a node that cannot be served.

        Args:
            node: what the client says about itself, read from its first request.
            protocol: the variant of the stream.
            peer: the transport address of the client, as gRPC writes it (``ipv4:127.0.0.1:4711``).
        """
        ...
