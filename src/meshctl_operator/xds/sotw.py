"""The state-of-the-world variant of the protocol: CDS and LDS responses list everything, the others may list what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING, Final

from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.xds.differences import Claims
from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import VERSION_LENGTH, ContentHash, ResourceName, TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.state import Resources
from meshctl_operator.xds.streams import XdsStream, answered
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

    ``_kept`` are resources of CDS or LDS that do not exist any more and are still listed, ``_forgotten`` what requests with an outdated
    nonce left out.
    """

    __slots__ = ("_forgotten", "_kept")

    def __init__(self, type_url: TypeUrl, sharing: Sharing) -> None:
        super().__init__(type_url, sharing)
        self._kept: dict[ResourceName, XdsResource] = {}
        self._forgotten: set[ResourceName] = set()

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
        """Note what the client is told, and hold on to what it must be told again until its time has come."""
        self._kept = self._keep(late)
        super().tell(current, late)

    def _keep(self, late: tuple[ResourceName, ...]) -> dict[ResourceName, XdsResource]:
        told = self._told
        if not late or isinstance(told, Claims):
            return {}
        found = {name: self._kept.get(name) or told.get(name) for name in late}
        return {name: resource for name, resource in found.items() if resource is not None}

    def size(self, current: Resources, pending: Pending) -> int:
        """Return about how many bytes the response has: of CDS and LDS all are listed."""
        return size_of(current, tuple(current) if self.type_url.full_state else pending.changed)

    def key(self, late: tuple[ResourceName, ...]) -> Hashable | None:
        """A response has a version of all that the client wants, so it is the same for all who want the same."""
        return None if late else (SotwWatch, None if self.subscription.wildcard else self.subscription.names)

    def compose(self, current: Resources, pending: Pending, late: tuple[ResourceName, ...], revision: int, nonce: str) -> bytes:  # noqa: ARG002  (the revision travels in Delta only)
        """Return a DiscoveryResponse: of CDS and LDS the complete list, where removed resources whose time has not come stay in."""
        kept, later = self._keep(late), frozenset(late)
        wanted = {**{name: current[name] for name in self._wanted(tuple(current)) if name not in later}, **kept}
        listed = wanted if self.type_url.full_state else {name: current[name] for name in pending.changed}
        held = {name: resource.version for name, resource in wanted.items()} | {name: self.version(name) or "" for name in late}
        frames = [listed[name].sotw_frame for name in sorted(listed)]
        head = string_field(_VERSION_INFO, _version_info(held))
        return b"".join((head, *frames, string_field(_TYPE_URL, self.type_url), string_field(_NONCE, nonce)))


def _version_info(held: dict[ResourceName, ContentHash]) -> str:
    """Return a version of all that the client holds of the type: equal on every replica for equal content."""
    pairs = "\n".join(f"{name} {version}" for name, version in sorted(held.items()))
    return hashlib.sha256(pairs.encode()).hexdigest()[:VERSION_LENGTH]


class SotwStream(XdsStream[SotwWatch]):
    """A SotW stream: feed requests to ``on_request``, write what ``next_response`` returns."""

    delta = False

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
        watch = self._begin(SotwWatch(type_url, self._sharing))
        change = watch.subscription.replace(request.resource_names)
        if type_url.full_state:
            watch.answer_due = True
        else:
            watch.claim(EMPTY_MAP, watch.subscription.names)
        return Outcome(type_url, subscribed=change.added)

    @staticmethod
    def _repeated(watch: SotwWatch, nonce: str) -> None:
        """Answer a request that says nothing new.

        With a nonce that was ACKed before it is the way in which Envoy asks for the endpoints of an updated cluster (CDS and LDS are never
        asked for like that); without a nonce the client has forgotten what it got.
        """
        if not nonce or not watch.type_url.full_state:
            watch.ask_all_again()
