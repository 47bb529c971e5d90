"""What the SotW and the Delta stream share: who the client is, and in which order it is told what changed.

Order of one change: CDS, EDS, LDS, RDS, VHDS, SDS, so that what is referenced is there before the reference (make before break). Removals of
clusters, endpoints and secrets wait until no listener, route or virtual host is pending or unanswered; these are removed together with
their additions, because a new listener may take over the address of a removed one, and a virtual host the domain of another. ``may_break``
is the one place that decides about it.

EDS is special: Envoy lets an updated cluster warm until its ClusterLoadAssignment arrives *again*, does not ask for it in the Delta
variant, and withholds the ACK of CDS meanwhile. So each cluster that is sent marks its endpoints for sending, no matter what is ACKed.
A new cluster cannot be used before it is ready; what leads to it waits for that, in the version that the client has, and the rest goes on
(``xds.readiness``). What was removed stays for ``Timing.drain`` after nothing leads there any more, for requests that are under way.
VHDS is alike: an Envoy that asks for a route configuration anew has none of its virtual hosts and does not ask for them again, so these follow.
Route configurations are served split to Delta clients that take them, and whole to all others (``xds.virtual_hosts``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar
from weakref import ref

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.xds.events import AckEvent, NackEvent, Overdue, Oversize, Push, Sent
from meshctl_operator.xds.nodes import NodeInfo, read_node
from meshctl_operator.xds.readiness import Readiness, Waiting
from meshctl_operator.xds.resources import ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.state import Resources, ViewState
from meshctl_operator.xds.virtual_hosts import is_shell, removable, takes_split_routes
from meshctl_operator.xds.watches import Pending, Watch, changes_of

if TYPE_CHECKING:
    from google.rpc import status_pb2

_LATE_REMOVALS: Final = frozenset({TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.SECRET})
_USERS: Final = (TypeUrl.LISTENER, TypeUrl.ROUTE, TypeUrl.VIRTUAL_HOST)  # what refers to clusters and secrets
_ROUTES_COME_FROM: Final = (TypeUrl.LISTENER, TypeUrl.ROUTE)
_SERVED: Final = {str(type_url): type_url for type_url in TypeUrl}
_HEALTH: Final = "type.googleapis.com/istio.v1.HealthInformation"
"""What an agent reports of its workload: not a request for anything, and it may come before the first request of the proxy."""

WatchT = TypeVar("WatchT", bound=Watch)


class XdsStream(ABC, Generic[WatchT]):
    """One stream of a client, as a pure state machine: requests in, responses out."""

    __slots__ = (
        "_new_routes",
        "_quiet_since",
        "_readiness",
        "_sharing",
        "_split",
        "_unfollowed",
        "_watches",
        "node",
        "overdue",
        "wake_at",
    )

    delta: ClassVar[bool]
    """Whether the stream is of the Delta variant."""

    def __init__(self, sharing: Sharing | None = None) -> None:
        self.node: NodeInfo | None = None
        self._watches: dict[TypeUrl, WatchT] = {}  # in the order in which additions are sent
        self._unfollowed: tuple[ResourceName, ...] = ()  # clusters that were sent before endpoints were asked for
        self._readiness = Readiness()
        self._quiet_since: float | None = None  # since when nothing that the client holds leads to what waits to be removed
        self._new_routes: tuple[ResourceName, ...] = ()  # sent to a client that did not hold them, and not followed by virtual hosts
        self._split: bool | None = None  # whether the client has split route configurations; None until it asks for one
        self._sharing = sharing or Sharing()
        self.wake_at: float | None = None  # when there may be something to write although nothing happens until then
        self.overdue: list[Overdue] = []  # what took too long, for whoever drives the stream to take away

    @property
    def in_flight(self) -> bool:
        """Whether any response waits for its ACK or NACK."""
        return any(watch.exchange.in_flight for watch in self._watches.values())

    def knows(self, type_url: TypeUrl) -> bool:
        """Tell whether the client was told anything of a type, or said itself what it holds."""
        watch = self._watches.get(type_url)
        return watch is not None and watch.begun

    def held(self, type_url: TypeUrl) -> dict[ResourceName, ContentHash] | None:
        """Return the version of each name that the client holds, empty while the client has not answered; None if it was told nothing."""
        watch = self._watches.get(type_url)
        return watch.held() if watch is not None and watch.begun else None

    def accepted(self, type_url: TypeUrl) -> Resources:
        """Return what the client was told of a type and has accepted."""
        watch = self._watches.get(type_url)
        return watch.accepted() if watch is not None else EMPTY_MAP

    @abstractmethod
    def closed(self) -> None:
        """Take note that the stream has ended."""

    def next_response(self, state: ViewState) -> bytes | None:
        """Return the next response to write, or None if there is none now. Call it until None after each request and each change."""
        push = self.next_push(state)
        return push.body if isinstance(push, Push) else None

    def has_next(self, state: ViewState) -> bool:
        """Tell whether there is a response to write."""
        return self._due(self.form(state)) is not None

    def form(self, state: ViewState) -> ViewState:
        """Return the form of a state that this client is served: with split route configurations, or with whole ones.

        The form of a route configuration must not change while a client has it, so it is decided once for a stream: by what the client
        held when it came, or what it is, and not by anything that may change.
        """
        if not state.splits:
            return state
        if self._split is None:
            self._split = self._decide(state)
        return state.whole if self._split is False else state

    def _decide(self, state: ViewState) -> bool | None:
        if not self.delta or (self.node is not None and not takes_split_routes(self.node)):
            return False
        watch = self._watches.get(TypeUrl.ROUTE)
        if watch is None:
            return None
        split = [name for name, resource in state.of(TypeUrl.ROUTE).items() if is_shell(resource.version)]
        return all(is_shell(watch.version(name) or "") for name in split if watch.holds(name))

    def next_push(self, state: ViewState, at_most: int | None = None) -> Push | Oversize | None:
        """As ``next_response``, together with what is in the response.

        Args:
            state: what the client should hold.
            at_most: the size of a body that may be composed now; a bigger one is not, and nothing is noted, but how big it would be is told.
        """
        state = self.form(state)
        due = self._due(state)
        if due is None:
            return None
        watch, pending, late = due
        current = state.of(watch.type_url)
        part = watch.key(late)
        key = None if part is None else (watch.type_url, id(current), state.revision, pending.changed, pending.removed, part)
        push = self._sharing.response(key, current) if key is not None else None
        if at_most is not None:
            size = len(push.body) if push is not None else watch.size(current, pending)
            if size > at_most:
                return Oversize(size, (watch.type_url, id(current)))
        if push is None or push.number <= watch.newest:  # a nonce is never used twice on a stream
            push = self._compose(watch, state, pending, late)
            if key is not None:
                self._sharing.keep(key, push)
        self._note(watch, state, push, late)
        return push

    def _due(self, state: ViewState) -> tuple[WatchT, Pending, tuple[ResourceName, ...]] | None:
        """Return what to tell next: the type, what is pending of it, and the removals that are held back."""
        self.wake_at = None
        if self._unfollowed and TypeUrl.ENDPOINT in self._watches:
            self._follow_with_endpoints(state)
        if self._new_routes and TypeUrl.VIRTUAL_HOST in self._watches:
            self._follow_with_virtual_hosts(state)
        for type_url, watch in self._watches.items():
            if not watch.may_send or (type_url is TypeUrl.VIRTUAL_HOST and self._awaits_routes()):
                continue
            if watch.rejections is not None and self._sharing.clock() < watch.rejections.not_before:
                self._wake_at(watch.rejections.not_before)
                continue
            pending, late = self._look(watch, state)
            if pending.removed and type_url in _LATE_REMOVALS and not self._may_remove(state):
                pending, late = Pending(pending.changed, (), pending.due), pending.removed
            if pending.changed and type_url in _USERS and (waiting := self._waiting(type_url)) is not None:
                pending, late = _held_back(pending, late, watch, state, waiting)
            if watch.rejections is not None and pending.changed:
                changed, later = watch.rejections.portion(pending.changed, state.of(type_url))
                pending, late = Pending(changed, pending.removed, pending.due), (*later, *late)
            if pending:
                return watch, pending, late
        return None

    @staticmethod
    def _look(watch: WatchT, state: ViewState) -> tuple[Pending, tuple[ResourceName, ...]]:
        """Return what the client should be told of a type now, and the removals whose time has not come.

        The virtual hosts of a route configuration that is gone stay with the client, and are remembered: should it come back, they are
        removed in the response that has the new ones, or these would clash with them.
        """
        current = state.of(watch.type_url)
        pending = watch.pending(current)
        if watch.type_url is not TypeUrl.VIRTUAL_HOST or not pending.removed:
            return pending, ()
        removed = removable(pending.removed, state.of(TypeUrl.ROUTE), watch.subscription.names)
        if len(removed) == len(pending.removed):
            return pending, ()
        told = set(removed)
        kept = tuple(name for name in pending.removed if name not in told)
        if not (removed or pending.changed or pending.due):
            watch.tell(current, kept)
        return Pending(pending.changed, removed, pending.due), kept

    def _forget_virtual_hosts(self, routes: Collection[ResourceName]) -> None:
        """Forget the virtual hosts of route configurations that the client has given up, and with them what it held of those."""
        watch = self._watches.get(TypeUrl.VIRTUAL_HOST)
        if watch is not None and routes:
            watch.forget(tuple(f"{route}/" for route in routes))

    @staticmethod
    def _answered(watch: WatchT, sent: Sent, error: status_pb2.Status | None) -> tuple[AckEvent | None, NackEvent | None]:
        """Return the event that a request with the nonce of a response means: ACK, or NACK if it carries an error and it is clear what for."""
        type_url = watch.type_url
        if error is None:
            watch.note_accepted(sent)
            return AckEvent(type_url, sent.revision, sent.changes), None
        if not watch.note_rejected(sent, error.message):
            return None, None
        return None, NackEvent(type_url, sent.revision, sent.changes, error.message, sent.nonce)

    def _awaits_routes(self) -> bool:
        """Tell whether the client may be about to ask for a route configuration: it does so before it answers a listener.

        Envoy loses the virtual hosts of a route configuration that it does not know yet, ACKs them, and claims on reconnect to hold them.
        """
        return any(watch.exchange.in_flight for type_url in _ROUTES_COME_FROM if (watch := self._watches.get(type_url)))

    def _waiting(self, type_url: TypeUrl) -> Waiting | None:
        """Return the new clusters that the client cannot use yet, and that resources of a type wait for; None if there are none."""
        clusters = self._watches.get(TypeUrl.CLUSTER)
        if clusters is not None and (found := clusters.rejections) is not None and found.searching and not found.delayed:
            return Waiting(None)  # the client has none of the clusters that it is not told yet
        if clusters is None or not clusters.exchange.in_flight:
            self._readiness.answered()
            return None
        now, timing = self._sharing.clock(), self._sharing.timing
        self.overdue += [Overdue(TypeUrl.CLUSTER, name, timing.warming) for name in self._readiness.expired(now, timing.warming)]
        patience = timing.whole if type_url is TypeUrl.ROUTE and not self._split else timing.warming
        waiting = self._readiness.waiting(now, patience)
        if waiting is not None:
            self._wake_at(self._readiness.until(now, patience))
        return waiting

    def _may_remove(self, state: ViewState) -> bool:
        """Tell whether what was removed may be taken from the client now: it was out of use for long enough."""
        if not self.may_break(state):
            self._quiet_since = None
            return False
        now = self._sharing.clock()
        if self._quiet_since is None:
            self._quiet_since = now
        until = self._quiet_since + self._sharing.timing.drain
        if now < until:
            self._wake_at(until)
        return now >= until

    def _wake_at(self, time: float | None) -> None:
        if time is not None:
            self.wake_at = time if self.wake_at is None else min(self.wake_at, time)

    def may_break(self, state: ViewState) -> bool:
        """Tell whether clusters, endpoints and secrets may be removed: nothing that the client holds refers to them any more."""
        state = self.form(state)
        watches = [watch for type_url in _USERS if (watch := self._watches.get(type_url))]
        return not any(watch.exchange.in_flight or self._look(watch, state)[0] for watch in watches)

    def _compose(self, watch: WatchT, state: ViewState, pending: Pending, late: tuple[ResourceName, ...]) -> Push:
        current = state.of(watch.type_url)
        number = self._sharing.next_nonce()
        changes = changes_of(watch.listed(current, pending.changed), pending.removed)
        body = watch.compose(current, pending, late, state.revision, str(number))
        sent = Sent(str(number), state.revision, changes)
        return Push(watch.type_url, number, pending.changed, pending.removed, sent, body, ref(current))

    def _note(self, watch: WatchT, state: ViewState, push: Push, late: tuple[ResourceName, ...]) -> None:
        """Note that the client is told, and what else it has to be told because of it."""
        if watch.type_url is TypeUrl.ROUTE:
            self._new_routes = tuple(dict.fromkeys((*self._new_routes, *(name for name in push.changed if not watch.version(name)))))
        elif watch.type_url is TypeUrl.CLUSTER and (watch.known or not self._watches.keys().isdisjoint(_USERS)):
            clusters = state.of(TypeUrl.CLUSTER)
            new = {name: clusters[name].eds_name for name in push.changed if not watch.version(name)}
            self._readiness.told(new, self._sharing.clock())
        elif watch.type_url is TypeUrl.ENDPOINT:
            self._readiness.endpoints(push.changed)
        watch.tell(state.of(watch.type_url), late)
        watch.newest = push.number
        watch.exchange.send(push.sent)
        if watch.type_url is TypeUrl.CLUSTER and push.changed:
            self._unfollowed = tuple(sorted({*self._unfollowed, *push.changed})) if self._unfollowed else push.changed

    def _follow_with_endpoints(self, state: ViewState) -> None:
        endpoints = self._watches[TypeUrl.ENDPOINT]
        available = state.of(TypeUrl.ENDPOINT)
        for cluster in self._unfollowed:
            name = state.eds_name(cluster)
            if endpoints.subscription.covers(name) and name in available:
                endpoints.ask_again(name)
        self._unfollowed = ()

    def _follow_with_virtual_hosts(self, state: ViewState) -> None:
        """Have the virtual hosts sent of route configurations that the client asked for and did not hold."""
        watch = self._watches[TypeUrl.VIRTUAL_HOST]
        prefixes = tuple(f"{route}/" for route in self._new_routes)
        self._new_routes = ()
        for shard in state.of(TypeUrl.VIRTUAL_HOST).shards:
            for name in shard:
                if name.startswith(prefixes) and watch.subscription.covers(name):
                    watch.ask_again(name)

    def _begin(self, watch: WatchT, *, trusted: bool = False) -> WatchT:
        """Take up a type; ``trusted`` says that the client is not sent again what it says it holds."""
        if watch.type_url is TypeUrl.ENDPOINT and not trusted:
            self._unfollowed = ()  # all endpoints are sent anyway
        if watch.type_url is TypeUrl.VIRTUAL_HOST and not trusted:
            self._new_routes = ()
        watches = {**self._watches, watch.type_url: watch}
        self._watches = {type_url: watches[type_url] for type_url in TypeUrl if type_url in watches}
        return watch

    def _identify(self, request: Any) -> TypeUrl | None:  # noqa: ANN401  (a DiscoveryRequest or a DeltaDiscoveryRequest)
        """Note who the client is, and return the type it asks for; None for one that is not served. Raises ProtocolViolation."""
        if self.node is None:
            if request.type_url == _HEALTH:
                return None
            if not request.node.id:
                raise ProtocolViolation("the first request of the stream has no node.id", hint="set node.id in the bootstrap of the proxy")
            self.node = read_node(request.node, self._sharing.names)
        type_url = request.type_url
        if not type_url:
            raise ProtocolViolation("a request on the aggregated stream has no type_url")
        return _SERVED.get(type_url)


def _held_back(
    pending: Pending, late: tuple[ResourceName, ...], watch: Watch, state: ViewState, waiting: Waiting
) -> tuple[Pending, tuple[ResourceName, ...]]:
    """Take from what is pending all that leads to clusters that are not ready.

    What replaces something that was removed may be among it, and then the removal comes with it.
    """
    current = state.of(watch.type_url)
    held = tuple(name for name in pending.changed if waiting.holds(current[name]))
    if not held:
        return pending, late
    told = set(held)
    changed = tuple(name for name in pending.changed if name not in told)
    return Pending(changed, (), pending.due and bool(changed)), (*late, *held, *pending.removed)
