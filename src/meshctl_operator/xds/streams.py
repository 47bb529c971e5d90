"""What the SotW and the Delta stream share: who the client is, what it holds, and in which order it is told what changed.

Order of one change: CDS, EDS, LDS, RDS, SDS, so that what is referenced is there before the reference (make before break). Removals of
clusters, endpoints and secrets wait until no listener or route response is pending or unanswered; listeners and routes are removed
together with their additions, because a new listener may take over the address of a removed one. ``may_break`` is the one place
that decides about it.

EDS is special: Envoy lets an updated cluster warm until its ClusterLoadAssignment arrives *again*, does not ask for it in the Delta
variant, and withholds the ACK of CDS meanwhile. So each cluster that is sent marks its endpoints for sending, no matter what is ACKed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.xds.events import AckEvent, NackEvent, Push
from meshctl_operator.xds.exchange import Exchange, Sent
from meshctl_operator.xds.nodes import NodeInfo, read_node
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState
from meshctl_operator.xds.subscriptions import Subscription, SubscriptionChange

if TYPE_CHECKING:
    from envoy.config.core.v3 import base_pb2
    from google.rpc import status_pb2

UNKNOWN: Final[ContentHash] = ""
"""The version of a name that the client may or may not hold: it is sent if it exists, and its absence is told if it does not."""

_LATE_REMOVALS: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.SECRET})
_USERS: Final = (TypeUrl.LISTENER, TypeUrl.ROUTE)  # what refers to clusters and secrets


@dataclass(frozen=True, slots=True)
class Pending:
    """What the client should be told about a type: sorted names, and whether an answer is due even if nothing changed."""

    changed: tuple[ResourceName, ...] = ()
    removed: tuple[ResourceName, ...] = ()
    due: bool = False

    def __bool__(self) -> bool:
        """Tell whether there is anything to send."""
        return bool(self.changed or self.removed or self.due)


_NOTHING: Final = Pending()


class Watch(ABC):
    """One type on one stream: what is wanted, what the client holds, what waits for an answer.

    ``held`` maps names to the version that was sent last, also if it was rejected: rejected content is not sent again until it changes,
    and a name that Envoy accepted out of a rejected response still gets its removal. It never has names that are not wanted.
    """

    def __init__(self, type_url: TypeUrl) -> None:
        self.type_url = type_url
        self.subscription = Subscription(type_url)
        self.exchange = Exchange()
        self.held: dict[ResourceName, ContentHash] = {}
        self.answer_due = False
        self._compared: Mapping[ResourceName, XdsResource] | None = None  # the resources that the client is known to hold

    @property
    def may_send(self) -> bool:
        """Whether a response may be sent now: one at a time, but CDS, whose ACK Envoy withholds while clusters warm."""
        return self.type_url is TypeUrl.CLUSTER or not self.exchange.in_flight

    def touch(self) -> None:
        """Forget that the client is up to date: the subscription or what it holds changed."""
        self._compared = None

    def told(self, state: ViewState, *, complete: bool) -> None:
        """Note that a response was made; if it is complete, the client is up to date until the resources or the subscription change."""
        self._compared = state.of(self.type_url) if complete else None

    def ask_again(self, name: ResourceName) -> None:
        """Have a name sent, whatever version the client holds."""
        self.held[name] = UNKNOWN
        self.touch()

    def retain(self, change: SubscriptionChange) -> None:
        """Drop from ``held`` what is not wanted any more."""
        if change.wildcard_ended:
            self.held = {name: version for name, version in self.held.items() if self.subscription.covers(name)}
        elif not self.subscription.wildcard:
            for name in change.removed:
                self.held.pop(name, None)
        if change:
            self.touch()

    def pending(self, state: ViewState) -> Pending:
        """Return what the client should be told now."""
        current = state.of(self.type_url)
        if current is self._compared and not self.answer_due:
            return _NOTHING
        names = self.subscription.names
        wanted = current if self.subscription.wildcard else [name for name in names if name in current] if names else ()
        changed = sorted(name for name in wanted if self.held.get(name) != current[name].version)
        removed = self.vanished(sorted(name for name in self.held if name not in current))
        pending = Pending(tuple(changed), tuple(removed), self.answer_due)
        if not pending:
            self._compared = current
        return pending

    @abstractmethod
    def vanished(self, names: list[ResourceName]) -> list[ResourceName]:
        """Return which of the names that the client may hold and that do not exist are to be told; forget the others."""

    @abstractmethod
    def compose(self, state: ViewState, pending: Pending, nonce: str) -> bytes:
        """Return the response that tells what is pending, and note in ``held`` that it was told."""


RequestT = TypeVar("RequestT")
WatchT = TypeVar("WatchT", bound=Watch)


class XdsStream(ABC, Generic[WatchT]):
    """One stream of a client, as a pure state machine: requests in, responses out."""

    def __init__(self) -> None:
        self.node: NodeInfo | None = None
        self._watches: dict[TypeUrl, WatchT] = {}
        self._nonces = 0

    @property
    def in_flight(self) -> bool:
        """Whether any response waits for its ACK or NACK."""
        return any(watch.exchange.in_flight for watch in self._watches.values())

    def next_response(self, state: ViewState) -> bytes | None:
        """Return the next response to write, or None if there is none now. Call it until None after each request and each change."""
        push = self.next_push(state)
        return None if push is None else push.body

    def next_push(self, state: ViewState) -> Push | None:
        """As ``next_response``, together with what is in the response."""
        for type_url in TypeUrl:
            watch = self._watches.get(type_url)
            if watch is None or not watch.may_send:
                continue
            pending = watch.pending(state)
            late = pending.removed if type_url in _LATE_REMOVALS and pending.removed and not self.may_break(state) else ()
            if late:
                pending = Pending(pending.changed, (), pending.due)
            if pending:
                return self._push(watch, state, pending, complete=not late)
        return None

    def may_break(self, state: ViewState) -> bool:
        """Tell whether clusters, endpoints and secrets may be removed: nothing that the client holds refers to them any more."""
        watches = [watch for type_url in _USERS if (watch := self._watches.get(type_url))]
        return not any(watch.exchange.in_flight or watch.pending(state) for watch in watches)

    def _push(self, watch: WatchT, state: ViewState, pending: Pending, *, complete: bool) -> Push:
        self._nonces += 1
        nonce = str(self._nonces)
        resources = state.of(watch.type_url)
        changes: dict[ResourceName, ContentHash | None] = {name: resources[name].version for name in pending.changed}
        changes.update(dict.fromkeys(pending.removed))
        watch.answer_due = False
        body = watch.compose(state, pending, nonce)
        watch.told(state, complete=complete)
        watch.exchange.send(Sent(nonce, state.revision, changes))
        if watch.type_url is TypeUrl.CLUSTER:
            self._follow_with_endpoints(state, pending.changed)
        return Push(watch.type_url, nonce, state.revision, pending.changed, pending.removed, body)

    def _follow_with_endpoints(self, state: ViewState, clusters: tuple[ResourceName, ...]) -> None:
        endpoints = self._watches.get(TypeUrl.ENDPOINT)
        if endpoints is None:
            return
        available = state.of(TypeUrl.ENDPOINT)
        for cluster in clusters:
            name = state.eds_name(cluster)
            if name in available and endpoints.subscription.covers(name):
                endpoints.ask_again(name)

    def _identify(self, node: base_pb2.Node, type_url: str) -> TypeUrl | None:
        """Note who the client is, and return the type it asks for; None for one that is not served. Raises ProtocolViolation."""
        if self.node is None:
            if not node.id:
                raise ProtocolViolation("the first request of the stream has no node.id", hint="set node.id in the bootstrap of the proxy")
            self.node = read_node(node)
        if not type_url:
            raise ProtocolViolation("a request on the aggregated stream has no type_url")
        return TypeUrl(type_url) if type_url in _SERVED else None


_SERVED: Final = frozenset(map(str, TypeUrl))


def answered(type_url: TypeUrl, sent: Sent, error: status_pb2.Status | None) -> tuple[AckEvent | None, NackEvent | None]:
    """Return the event that a request with the nonce of a response means: ACK, or NACK if it carries an error."""
    if error is None:
        return AckEvent(type_url, sent.revision, sent.changes), None
    return None, NackEvent(type_url, sent.revision, sent.changes, error.message, sent.nonce)
