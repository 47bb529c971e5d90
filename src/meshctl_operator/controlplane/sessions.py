"""Open streams: what each proxy should hold, and what it says about it. Implements the seam ``xds.discovery``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from meshctl_operator.controlplane.nodes import DeclaredProxy, read_proxy
from meshctl_operator.xds.discovery import Stream, XdsProtocol
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Push
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.quarantine import Quarantine, kind_of
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.route_search import RouteSearch
from meshctl_operator.xds.state import ViewState

if TYPE_CHECKING:
    from meshctl_operator.controlplane.pipeline import Served

_SERIALS: Final = count(1)


class Listener(Protocol):
    """Who is told what happens on streams."""

    def connected(self, session: ProxySession) -> None:
        """A stream opened; it has no state yet."""
        ...

    def pushed(self, session: ProxySession, push: Push) -> None:
        """A response was handed to the transport; it must not be kept."""
        ...

    def acked(self, session: ProxySession, event: AckEvent) -> None:
        """A response was accepted."""
        ...

    def nacked(self, session: ProxySession, event: NackEvent) -> None:
        """A response was rejected."""
        ...

    def outdated(self, session: ProxySession, type_url: TypeUrl) -> None:
        """A request answers no response."""
        ...

    def overdue(self, session: ProxySession, overdue: Overdue) -> None:
        """Something is not waited for any longer."""
        ...

    def idle(self, session: ProxySession) -> None:
        """Everything was sent and answered for now."""
        ...

    def closed(self, session: ProxySession) -> None:
        """The stream ended."""
        ...


class ProxySession:
    """One stream of a proxy. What it should hold is shared with all streams that see the same; what it holds, its stream knows."""

    __slots__ = (
        "_idle_revision",
        "_listener",
        "_quarantine",
        "_stream",
        "_trial",
        "believed",
        "connected_at",
        "declared",
        "envoy",
        "kind",
        "node_id",
        "peer",
        "protocol",
        "proven",
        "rejected",
        "rested",
        "searches",
        "serial",
        "served",
        "unproven",
    )

    def __init__(
        self,
        node: NodeInfo,
        protocol: XdsProtocol,
        peer: str,
        connected_at: float,
        listener: Listener,
        quarantine: Quarantine | None = None,
    ) -> None:
        """Read the node. Raises ProtocolViolation if it cannot be served. ``quarantine`` says what its kind is not served."""
        self.declared: DeclaredProxy = read_proxy(node)
        self.node_id = node.id
        self.envoy = node.version_text
        self.protocol = protocol
        self.peer = peer
        self.connected_at = connected_at
        self.served: Served | None = None
        self.rejected: dict[TypeUrl, str] = {}
        self.rested: Callable[[int], None] | None = None  # told each time that nothing is left to say, also of a state that it was told of
        self.serial = next(_SERIALS)
        self.kind = kind_of(node)
        self.proven = False  # whether it has accepted anything; until then its rejections wait
        self.believed = True  # whether its rejections say something about the content
        self.unproven: tuple[NackEvent, ...] = ()
        self.searches: Mapping[ResourceName, RouteSearch] = {}
        self._quarantine = quarantine if quarantine is not None else Quarantine()  # an empty one is false
        self._trial: tuple[ViewState, Mapping[ResourceName, XdsResource], ViewState] | None = None
        self._listener = listener
        self._stream: Stream | None = None
        self._idle_revision = -1

    @property
    def proxy_id(self) -> str:
        """The name of the proxy: ``name.namespace``."""
        return self.declared.proxy.id

    @property
    def state(self) -> ViewState | None:
        """What the proxy should hold now: of what its kind rejects, the last good versions."""
        if self.served is None:
            return None
        state = self._quarantine.serve(self.kind, self.served.state)
        return self._searched(state) if self.searches else state

    def _searched(self, state: ViewState) -> ViewState:
        """Return the state with the route configurations that show what it is that the proxy rejects."""
        whole = state.whole
        routes = whole.of(TypeUrl.ROUTE)
        trials = {name: search.serve(routes[name]) for name, search in self.searches.items() if name in routes}
        if self._trial is None or self._trial[0] is not state or self._trial[1] != trials:
            served = ViewState(state.revision, {**whole.resources, TypeUrl.ROUTE: routes.with_items(trials)})
            self._trial = (state, trials, served)
        return self._trial[2]

    def should_hold(self, type_url: TypeUrl, name: ResourceName) -> XdsResource | None:
        """Return a resource as the proxy should hold it, route configurations whole."""
        state = self.state
        return state.whole.of(type_url).get(name) if state is not None else None

    def accepted(self) -> ViewState:
        """Return what the proxy was told and has accepted; computed when asked, after rejections."""
        stream = self._stream
        return ViewState(0, {type_url: stream.accepted(type_url) for type_url in TypeUrl} if stream is not None else {})

    @property
    def held(self) -> Mapping[TypeUrl, Mapping[ResourceName, ContentHash]]:
        """The versions that the proxy holds, by type and name, of the types that it was told of; computed when asked, for debug pages.

        A version is empty while the proxy has not answered.
        """
        stream = self._stream
        if stream is None:
            return {}
        return {type_url: found for type_url in TypeUrl if (found := stream.held(type_url)) is not None}

    @property
    def settled(self) -> bool:
        """Whether the newest state was sent and answered."""
        return self.served is not None and self._idle_revision == self.served.state.revision

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether the proxy was told anything of a type, or said itself what it holds."""
        return self._stream is not None and self._stream.knows(type_url)

    def update(self, served: Served) -> None:
        """Take what the proxy should hold from now on, and wake the stream if that differs."""
        before, self.served = self.state, served
        if self.state is not before and self._stream is not None:
            self._stream.changed()

    def look_again(self) -> None:
        """Wake the stream: what its kind is served may be something else."""
        if self._stream is not None and self.served is not None:
            self._idle_revision = -1
            self._stream.changed()

    def attach(self, stream: Stream) -> None:
        """Wake this stream from now on."""
        self._stream = stream

    def pushed(self, push: Push) -> None:
        """Tell that a response was written."""
        self._listener.pushed(self, push)

    def acked(self, event: AckEvent) -> None:
        """Note that the proxy accepts what it is told."""
        self.rejected.pop(event.type_url, None)
        self._listener.acked(self, event)

    def nacked(self, event: NackEvent) -> None:
        """Note what the proxy rejected."""
        self.rejected[event.type_url] = event.message
        self._listener.nacked(self, event)

    def outdated(self, type_url: TypeUrl) -> None:
        """Tell of a request that answers no response."""
        self._listener.outdated(self, type_url)

    def overdue(self, overdue: Overdue) -> None:
        """Tell what took too long."""
        self._listener.overdue(self, overdue)

    def idle(self, revision: int) -> None:
        """Note that the state of a revision was sent as far as it is subscribed to, and answered."""
        if self._idle_revision != revision:
            self._idle_revision = revision
            self._listener.idle(self)
        if self.rested is not None:
            self.rested(revision)

    def closed(self) -> None:
        """The stream ended."""
        self._stream = None
        self._listener.closed(self)
