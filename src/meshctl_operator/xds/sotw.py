"""The state-of-the-world variant of the protocol: CDS and LDS responses list everything, the others may list what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import VERSION_LENGTH, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.state import ViewState
from meshctl_operator.xds.streams import Pending, Watch, XdsStream, answered
from meshctl_operator.xds.subscriptions import SubscriptionChange
from meshctl_operator.xds.wire import string_field

if TYPE_CHECKING:
    from envoy.service.discovery.v3 import discovery_pb2

# Fields of envoy.service.discovery.v3.DiscoveryResponse besides `resources`, whose framing is part of each resource.
_VERSION_INFO: Final = 1
_TYPE_URL: Final = 4
_NONCE: Final = 5


class SotwWatch(Watch):
    """One type on a SotW stream.

    ``_complete`` is what the last response of CDS or LDS listed, ``_forgotten`` what requests with an outdated nonce left out.
    """

    def __init__(self, type_url: TypeUrl) -> None:
        super().__init__(type_url)
        self._complete: dict[ResourceName, XdsResource] = {}
        self._forgotten: set[ResourceName] = set()

    def ask(self, change: SubscriptionChange) -> None:
        """Have newly wanted names answered: the complete list for CDS and LDS, else just these names."""
        if self.type_url.full_state:
            self.answer_due |= bool(change.added) or change.wildcard_begun
        else:
            for name in change.added:
                self.ask_again(name)
        for name in self._forgotten & self.subscription.names:
            self.ask_again(name)
        self._forgotten.clear()

    def ask_all_again(self) -> None:
        """Have everything that is wanted sent, whatever the client holds."""
        if self.type_url.full_state:
            self.answer_due = True
        for name in (*self.held, *self.subscription.names):
            self.ask_again(name)

    def note_stale(self, names: Collection[ResourceName]) -> None:
        """Note what a request with an outdated nonce leaves out.

        The client has forgotten these names. If the list that counts has them again, it needs them again, and nothing else would tell.
        """
        if self.exchange.in_flight:
            self._forgotten |= self.subscription.names.difference(names)

    def vanished(self, names: list[ResourceName]) -> list[ResourceName]:
        """Tell of CDS and LDS only, by a list without them: for the other types a name that is left out says nothing."""
        if self.type_url.full_state:
            return names
        for name in names:
            del self.held[name]
        return []

    def compose(self, state: ViewState, pending: Pending, nonce: str) -> bytes:
        """Return a DiscoveryResponse: of CDS and LDS the complete list, where removed resources whose time has not come stay in."""
        resources = state.of(self.type_url)
        for name in pending.removed:
            del self.held[name]
        for name in pending.changed:
            self.held[name] = resources[name].version
        if self.type_url.full_state:
            kept = {name: resource for name, resource in self._complete.items() if name in self.held}
            listed = self._complete = {**kept, **{name: resources[name] for name in self.held if name in resources}}
        else:
            listed = {name: resources[name] for name in pending.changed}
        frames = [listed[name].sotw_frame for name in sorted(listed)]
        head = string_field(_VERSION_INFO, self._version_info())
        return b"".join((head, *frames, string_field(_TYPE_URL, self.type_url), string_field(_NONCE, nonce)))

    def _version_info(self) -> str:
        """Return a version of all that the client holds of the type: equal on every replica for equal content."""
        pairs = "\n".join(f"{name} {version}" for name, version in sorted(self.held.items()))
        return hashlib.sha256(pairs.encode()).hexdigest()[:VERSION_LENGTH]


class SotwStream(XdsStream[SotwWatch]):
    """A SotW stream: feed requests to ``on_request``, write what ``next_response`` returns."""

    def on_request(self, request: discovery_pb2.DiscoveryRequest) -> Outcome:
        """Understand a DiscoveryRequest. Raises ProtocolViolation, which ends the stream.

        The names of a request whose nonce is not the latest do not count: the answer to the latest response carries the current ones.
        """
        type_url = self._identify(request.node, request.type_url)
        if type_url is None:
            return Outcome(None)
        watch = self._watches.get(type_url)
        if watch is None:
            return self._first_request(type_url, request)
        nonce, latest = request.response_nonce, watch.exchange.latest
        sent = watch.exchange.settle(nonce) if nonce else None
        error = request.error_detail if request.HasField("error_detail") else None
        ack, nack = answered(type_url, sent, error) if sent else (None, None)
        if nonce and nonce != latest:
            watch.note_stale(request.resource_names)
            return Outcome(type_url, ack, nack, stale=sent is None)
        change = watch.subscription.replace(request.resource_names)
        watch.retain(change)
        if sent is None and error is None and not change and latest and not watch.exchange.in_flight:
            self._repeated(watch, nonce)
        else:
            watch.ask(change)
        return Outcome(type_url, ack, nack, subscribed=change.added, unsubscribed=change.removed)

    def _first_request(self, type_url: TypeUrl, request: discovery_pb2.DiscoveryRequest) -> Outcome:
        """Answer in full, whatever version the client says it has: that version is of a list which is not known here."""
        watch = self._watches[type_url] = SotwWatch(type_url)
        change = watch.subscription.replace(request.resource_names)
        watch.ask(change)
        return Outcome(type_url, subscribed=change.added)

    @staticmethod
    def _repeated(watch: SotwWatch, nonce: str) -> None:
        """Answer a request that says nothing new.

        With a nonce that was ACKed before it is the way in which Envoy asks for the endpoints of an updated cluster (CDS and LDS are never
        asked for like that); without a nonce the client has forgotten what it got.
        """
        if not nonce or not watch.type_url.full_state:
            watch.ask_all_again()
