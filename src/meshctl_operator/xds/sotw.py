"""The state-of-the-world variant of the protocol: CDS and LDS responses list everything, the others may list what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Final

from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.xds.events import Outcome, Sent
from meshctl_operator.xds.exchange import MAX_WAITING
from meshctl_operator.xds.resources import VERSION_LENGTH, ContentHash, ResourceName, TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.state import Resources
from meshctl_operator.xds.streams import XdsStream
from meshctl_operator.xds.subscriptions import WILDCARD, SubscriptionChange
from meshctl_operator.xds.watches import Pending, Watch, size_of
from meshctl_operator.xds.wire import string_field

if TYPE_CHECKING:
    from envoy.service.discovery.v3 import discovery_pb2

# Fields of envoy.service.discovery.v3.DiscoveryResponse besides `resources`, whose framing is part of each resource.
_VERSION_INFO: Final = 1
_TYPE_URL: Final = 4
_NONCE: Final = 5


class SotwWatch(Watch):
    """One type on a SotW stream.

    ``_forgotten`` is what requests with an outdated nonce left out, ``_listed`` the lists that the client may be at: it says which when it
    comes back on another stream.
    """

    __slots__ = ("_composed", "_forgotten", "_listed")

    def __init__(self, type_url: TypeUrl, sharing: Sharing) -> None:
        super().__init__(type_url, sharing)
        self._forgotten: set[ResourceName] = set()
        self._listed: list[Resources] = []
        self._composed: Resources = EMPTY_MAP  # the list that was joined last, where it has what is removed later

    def ask(self, change: SubscriptionChange) -> None:
        """Have newly wanted names answered: the complete list for CDS and LDS, else just these names."""
        if self.type_url.full_state:
            self.answer_due |= bool(change.added) or change.wildcard_begun
        else:
            for name in change.added:
                self.ask_again(name)
        for name in self._forgotten:
            if self.subscription.covers(name):
                self.ask_again(name)
        self._forgotten.clear()

    def ask_all_again(self) -> None:
        """Have everything that is wanted sent, whatever the client holds."""
        if self.type_url.full_state:
            self.answer_due = True
        for name in (*self._versions(), *self.subscription.names):
            self.ask_again(name)

    def begin_with(self, resources: Resources) -> None:
        """Begin with the list that the client says it has."""
        self.claim(resources, frozenset())
        self._listed = [resources]

    def linger(self) -> None:
        """Have what the client holds remembered for a while: it may come back, and say no more of it than the version of the list."""
        for resources in self._listed:
            self._sharing.linger(resources)

    def note_stale(self, names: Collection[ResourceName]) -> None:
        """Note what a request with an outdated nonce leaves out.

        The client has forgotten these names. If the list that counts has them again, it needs them again, and nothing else would tell.
        """
        if not self.exchange.in_flight:
            return
        self._forgotten |= self.subscription.names.difference(names)
        if self.subscription.wildcard and WILDCARD not in names and not self.type_url.full_state:
            self._forgotten |= self._versions().keys() - set(names)

    def vanished(self, names: tuple[ResourceName, ...]) -> tuple[ResourceName, ...]:
        """Tell of CDS and LDS only, by a list without them: for the other types a name that is left out says nothing."""
        return names if self.type_url.full_state else ()

    def tell(self, current: Resources, late: tuple[ResourceName, ...]) -> None:
        """Note what the client is told, and which list that is."""
        super().tell(current, late)
        if self.type_url.full_state:
            listed = self._composed if late else current
            self._listed = [*(self._listed[-MAX_WAITING:] if self.exchange.in_flight else self._listed[-1:]), listed]

    def note_rejected(self, sent: Sent, message: str) -> bool:
        """Note that the client rejected a response: lists that are on their way have the same in them, so there will be others."""
        counts = super().note_rejected(sent, message)
        if self.type_url.full_state and not sent.outdated and self.exchange.in_flight:
            self.revert(self.exchange.unanswered)
            self.exchange.outdate()
        return counts

    def size(self, current: Resources, pending: Pending) -> int:
        """Return about how many bytes the response has: of CDS and LDS all are listed."""
        return size_of(current, tuple(current) if self.type_url.full_state else pending.changed)

    def key(self, late: tuple[ResourceName, ...]) -> Hashable | None:
        """A response has a version of all that the client wants, so it is the same for all who want the same."""
        return None if late else (SotwWatch, None if self.subscription.wildcard else self.subscription.names)

    def compose(self, current: Resources, pending: Pending, late: tuple[ResourceName, ...], revision: int, nonce: str) -> bytes:  # noqa: ARG002  (the revision travels in Delta only)
        """Return a DiscoveryResponse: of CDS and LDS the complete list, where removed resources whose time has not come stay in."""
        everything = self.with_late(current, late)
        wanted = {name: everything[name] for name in self._wanted(tuple(everything))}
        listed = wanted if self.type_url.full_state else {name: current[name] for name in pending.changed}
        held = {name: self.version(name) or "" for name in late} | {name: resource.version for name, resource in wanted.items()}
        frames = [listed[name].sotw_frame for name in sorted(listed)]
        version = _version_info(held)
        if self.type_url.full_state and self.subscription.wildcard:
            self._sharing.note_list(self.type_url, version, everything)
        self._composed = everything
        head = string_field(_VERSION_INFO, version)
        return b"".join((head, *frames, string_field(_TYPE_URL, self.type_url), string_field(_NONCE, nonce)))


def _version_info(held: dict[ResourceName, ContentHash]) -> str:
    """Return a version of all that the client holds of the type: equal on every replica for equal content."""
    pairs = "\n".join(f"{name} {version}" for name, version in sorted(held.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()[:VERSION_LENGTH]


class SotwStream(XdsStream[SotwWatch]):
    """A SotW stream: feed requests to ``on_request``, write what ``next_response`` returns."""

    delta = False

    def closed(self) -> None:
        """Remember what the client holds, should it come back at once."""
        for watch in self._watches.values():
            watch.linger()

    def on_request(self, request: discovery_pb2.DiscoveryRequest) -> Outcome:
        """Understand a DiscoveryRequest. Raises ProtocolViolation, which ends the stream.

        The names of a request whose nonce is not the latest do not count: the answer to the latest response carries the current ones.
        """
        type_url = self._identify(request)
        if type_url is None or type_url.delta_only:
            return Outcome(None)
        watch = self._watches.get(type_url)
        if watch is None:
            return self._first_request(type_url, request)
        nonce, latest = request.response_nonce, watch.exchange.latest
        sent = watch.exchange.settle(nonce) if nonce else None
        error = request.error_detail if request.HasField("error_detail") else None
        ack, nack = self._answered(watch, sent, error) if sent else (None, None)
        if nonce and nonce != latest:
            watch.note_stale(request.resource_names)
            return Outcome(type_url, ack, nack, stale=sent is None)
        change = watch.subscription.replace(request.resource_names)
        watch.retain(change)
        if sent is None and error is None and latest and not watch.exchange.in_flight and not (nonce and change):
            self._repeated(watch, nonce)
        else:
            watch.ask(change)
        return Outcome(type_url, ack, nack, subscribed=change.added, unsubscribed=change.removed)

    def _first_request(self, type_url: TypeUrl, request: discovery_pb2.DiscoveryRequest) -> Outcome:
        """Answer in full, whatever version the client says it has.

        If the list of that version is known, because another stream has it or had it a moment ago, what is gone from it stays as long as
        the client may need it; else the client loses it at once.
        """
        watch = self._begin(SotwWatch(type_url, self._sharing))
        change = watch.subscription.replace(request.resource_names)
        if type_url.full_state:
            watch.answer_due = True
            known = self._sharing.list_of(type_url, request.version_info) if watch.subscription.wildcard else None
            if known is not None:
                watch.begin_with(known)
        else:
            watch.claim(EMPTY_MAP, watch.subscription.names)
        return Outcome(type_url, subscribed=change.added)

    @staticmethod
    def _repeated(watch: SotwWatch, nonce: str) -> None:
        """Answer a request that says nothing new, or that comes without a nonce.

        With a nonce that was ACKed before it is the way in which Envoy asks for the endpoints of an updated cluster (CDS and LDS are never
        asked for like that); without a nonce the client has forgotten what it got, whatever it wants now.
        """
        if not nonce or not watch.type_url.full_state:
            watch.ask_all_again()
