"""The Delta (incremental) variant of the protocol: only what changed travels, with a version for each resource."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from meshctl_operator.base.shards import EMPTY_MAP
from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import ResourceName, TypeUrl
from meshctl_operator.xds.state import Resources
from meshctl_operator.xds.streams import XdsStream
from meshctl_operator.xds.subscriptions import WILDCARD
from meshctl_operator.xds.watches import Pending, Watch
from meshctl_operator.xds.wire import string_field

if TYPE_CHECKING:
    from envoy.service.discovery.v3 import discovery_pb2

# Fields of envoy.service.discovery.v3.DeltaDiscoveryResponse besides `resources`, whose framing is part of each resource.
_SYSTEM_VERSION_INFO: Final = 1
_TYPE_URL: Final = 4
_NONCE: Final = 5
_REMOVED_RESOURCES: Final = 6


class DeltaWatch(Watch):
    """One type on a Delta stream."""

    __slots__ = ()

    def first_request(self, request: discovery_pb2.DeltaDiscoveryRequest, *, trusted: bool) -> None:
        """Begin with what the client says that it holds; takes the request over.

        Args:
            request: the first request for the type.
            trusted: whether it says something, and equal versions need not be sent again.
        """
        names = self.subscription.names
        initial = request.initial_resource_versions
        self.answer_due = self.subscription.wildcard and not initial
        if trusted:
            claims = self._sharing.claims(request)
            self.claim(claims, self._sharing.unclaimed(names, claims))
        else:
            self.claim(EMPTY_MAP, names | frozenset(initial) if self.subscription.wildcard else names)

    def further_request(self, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        """Mark what a request asks for: a name is answered each time that it is subscribed.

        A name that is unsubscribed while the wildcard still covers it is told again, since the client forgets it.
        """
        for name in (*request.resource_names_subscribe, *request.resource_names_unsubscribe):
            if name != WILDCARD and self.subscription.covers(name):
                self.ask_again(name)

    def key(self, late: tuple[ResourceName, ...]) -> Hashable | None:  # noqa: ARG002  (what comes later is no part of a Delta response)
        """A response says only what changed, so it is the same for all who are told the same."""
        return DeltaWatch

    def compose(self, current: Resources, pending: Pending, late: tuple[ResourceName, ...], revision: int, nonce: str) -> bytes:  # noqa: ARG002  (as in key)
        """Return a DeltaDiscoveryResponse with the changed resources and the removed names."""
        parts = [string_field(_SYSTEM_VERSION_INFO, str(revision))]
        for resource in self.listed(current, pending.changed):
            parts += (resource.delta_head, resource.sotw_frame, resource.delta_tail)
        parts += (string_field(_TYPE_URL, self.type_url), string_field(_NONCE, nonce))
        parts += [string_field(_REMOVED_RESOURCES, name) for name in pending.removed]
        return b"".join(parts)


class DeltaStream(XdsStream[DeltaWatch]):
    """A Delta stream: feed requests to ``on_request``, write what ``next_response`` returns."""

    delta = True

    def closed(self) -> None:
        """Do nothing: a client that comes back says what it holds."""

    def on_request(self, request: discovery_pb2.DeltaDiscoveryRequest) -> Outcome:
        """Understand a DeltaDiscoveryRequest, which is taken over. Raises ProtocolViolation, which ends the stream.

        Subscriptions are changes, not a state, so they count even if the nonce is stale.
        """
        type_url = self._identify(request)
        if type_url is None:
            return Outcome(None)
        watch = self._watches.get(type_url)
        if watch is None:
            return self._first_request(type_url, request)
        nonce = request.response_nonce
        sent = watch.exchange.settle(nonce) if nonce else None
        change = watch.subscription.update(request.resource_names_subscribe, request.resource_names_unsubscribe)
        if change:
            watch.retain(change)
            watch.answer_due |= change.wildcard_begun
            if type_url is TypeUrl.ROUTE:
                self._forget_virtual_hosts(change.removed)
        watch.further_request(request)
        error = request.error_detail if request.HasField("error_detail") else None
        ack, nack = self._answered(watch, sent, error) if sent else (None, None)
        stale = sent is None and nonce not in {"", watch.exchange.latest}
        return Outcome(type_url, ack, nack, stale, change.added, change.removed)

    def _first_request(self, type_url: TypeUrl, request: discovery_pb2.DeltaDiscoveryRequest) -> Outcome:
        """Begin to watch a type.

        Versions that the client holds are not sent again, on whatever stream it got them. But an Envoy some of whose clusters were warming
        when its stream broke asks for endpoints first, and for clusters only after their endpoints were answered: it needs all endpoints,
        and which ones it waits for it does not say. One whose clusters are warm asks for clusters first; should these be updated before it
        asks for endpoints, only theirs follow.
        """
        trusted = bool(request.initial_resource_versions) and (type_url is not TypeUrl.ENDPOINT or TypeUrl.CLUSTER in self._watches)
        watch = self._begin(DeltaWatch(type_url, self._sharing), trusted=trusted)
        change = watch.subscription.update(request.resource_names_subscribe, request.resource_names_unsubscribe)
        watch.first_request(request, trusted=trusted)
        return Outcome(type_url, subscribed=change.added)
