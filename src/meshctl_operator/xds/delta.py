"""The Delta (incremental) variant of the protocol: only what changed travels, with a version for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import ResourceName, TypeUrl
from meshctl_operator.xds.state import ViewState
from meshctl_operator.xds.streams import UNKNOWN, Pending, Watch, XdsStream, answered
from meshctl_operator.xds.subscriptions import WILDCARD
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

    def first_request(self, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        """Begin with what the client says that it holds.

        Equal versions are not sent again, but for EDS: a cluster that was warming when the stream broke still waits for its endpoints,
        and the request does not tell which.
        """
        initial = request.initial_resource_versions
        self.answer_due = self.subscription.wildcard and not initial
        if self.type_url is not TypeUrl.ENDPOINT:
            self.held = {name: version for name, version in initial.items() if self.subscription.covers(name)}
        elif self.subscription.wildcard:
            self.held = dict.fromkeys(initial, UNKNOWN)
        for name in self.subscription.names:
            self.held.setdefault(name, UNKNOWN)

    def further_request(self, request: discovery_pb2.DeltaDiscoveryRequest) -> None:
        """Mark what a request asks for: a name is answered each time that it is subscribed.

        A name that is unsubscribed while the wildcard still covers it is told again, since the client forgets it.
        """
        for name in (*request.resource_names_subscribe, *request.resource_names_unsubscribe):
            if name != WILDCARD and self.subscription.covers(name):
                self.ask_again(name)

    def vanished(self, names: list[ResourceName]) -> list[ResourceName]:
        """Tell all of them as removed: names that were sent, and names that were asked for and do not exist."""
        return names

    def compose(self, state: ViewState, pending: Pending, nonce: str) -> bytes:
        """Return a DeltaDiscoveryResponse with the changed resources and the removed names."""
        resources = state.of(self.type_url)
        parts = [string_field(_SYSTEM_VERSION_INFO, str(state.revision))]
        for name in pending.changed:
            resource = resources[name]
            parts += (resource.delta_head, resource.sotw_frame, resource.delta_tail)
            self.held[name] = resource.version
        parts += (string_field(_TYPE_URL, self.type_url), string_field(_NONCE, nonce))
        for name in pending.removed:
            parts.append(string_field(_REMOVED_RESOURCES, name))
            del self.held[name]
        return b"".join(parts)


class DeltaStream(XdsStream[DeltaWatch]):
    """A Delta stream: feed requests to ``on_request``, write what ``next_response`` returns."""

    def on_request(self, request: discovery_pb2.DeltaDiscoveryRequest) -> Outcome:
        """Understand a DeltaDiscoveryRequest. Raises ProtocolViolation, which ends the stream.

        Subscriptions are changes, not a state, so they count even if the nonce is stale.
        """
        type_url = self._identify(request.node, request.type_url)
        if type_url is None:
            return Outcome(None)
        watch = self._watches.get(type_url)
        first = watch is None
        if watch is None:
            watch = self._watches[type_url] = DeltaWatch(type_url)
        sent = watch.exchange.settle(request.response_nonce) if request.response_nonce else None
        change = watch.subscription.update(request.resource_names_subscribe, request.resource_names_unsubscribe)
        watch.retain(change)
        if first:
            watch.first_request(request)
        else:
            watch.further_request(request)
            watch.answer_due |= change.wildcard_begun
        ack, nack = answered(type_url, sent, request.error_detail if request.HasField("error_detail") else None) if sent else (None, None)
        stale = not first and sent is None and request.response_nonce not in {"", watch.exchange.latest}
        return Outcome(type_url, ack, nack, stale, change.added, change.removed)
