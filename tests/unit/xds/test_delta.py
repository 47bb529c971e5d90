"""Unit tests of the Delta stream."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import sample

NODE = base_pb2.Node(id="test-id")


def request(stream: DeltaStream, type_url: TypeUrl, **fields: Any) -> Outcome:
    """Feed a request to the stream."""
    return stream.on_request(discovery_pb2.DeltaDiscoveryRequest(node=NODE, type_url=type_url, **fields))


def response(stream: DeltaStream, state: ViewState) -> discovery_pb2.DeltaDiscoveryResponse:
    """Return the one response that is due, which must be exactly what the protobuf library would write."""
    body = stream.next_response(state)
    assert body is not None
    parsed = discovery_pb2.DeltaDiscoveryResponse.FromString(body)
    assert parsed.SerializeToString(deterministic=True) == body
    return parsed


def told(parsed: discovery_pb2.DeltaDiscoveryResponse) -> tuple[list[str], list[str]]:
    """Return changed and removed names."""
    return [entry.name for entry in parsed.resources], list(parsed.removed_resources)


def clusters(revision: int, **marks: str) -> ViewState:
    """Return a state of clusters, by name and mark."""
    return view_state(revision, [sample(TypeUrl.CLUSTER, name, mark) for name, mark in marks.items()])


def test_response_has_names_versions_and_a_nonce() -> None:
    """A response has sorted resources with their versions, the type, the revision as system version and a nonce that is never empty."""
    stream = DeltaStream()
    request(stream, TypeUrl.CLUSTER)
    parsed = response(stream, clusters(9, b="1", a="1"))
    assert told(parsed) == (["a", "b"], [])
    assert parsed.resources[0].version == sample(TypeUrl.CLUSTER, "a").version
    assert (parsed.type_url, parsed.system_version_info) == (TypeUrl.CLUSTER, "9")
    assert parsed.nonce


def test_equal_initial_versions_are_not_sent() -> None:
    """On reconnect equal versions are left out, others sent, vanished names removed; if all are equal nothing is sent at all."""
    held = {name: sample(TypeUrl.CLUSTER, name).version for name in "abc"}
    stream = DeltaStream()
    request(stream, TypeUrl.CLUSTER, initial_resource_versions=held)
    assert told(response(stream, clusters(1, a="1", b="2"))) == (["b"], ["c"])
    silent = DeltaStream()
    request(silent, TypeUrl.CLUSTER, initial_resource_versions=held)
    assert silent.next_response(clusters(1, a="1", b="1", c="1")) is None


@pytest.mark.parametrize("names", [["a"], ["*"]])
def test_endpoints_are_sent_whatever_the_initial_versions(names: list[str]) -> None:
    """The first subscription to endpoints is answered even if versions are equal, for a cluster may be warming."""
    stream = DeltaStream()
    endpoints = sample(TypeUrl.ENDPOINT, "a")
    request(stream, TypeUrl.ENDPOINT, resource_names_subscribe=names, initial_resource_versions={"a": endpoints.version})
    assert told(response(stream, view_state(1, [endpoints]))) == (["a"], [])


def test_initial_versions_of_unwanted_names_do_not_count() -> None:
    """A version for a name that is not subscribed neither sends nor removes it."""
    stream = DeltaStream()
    request(stream, TypeUrl.ROUTE, resource_names_subscribe=["a"], initial_resource_versions={"b": "old"})
    assert told(response(stream, view_state(1, [sample(TypeUrl.ROUTE, "a")]))) == (["a"], [])


def test_first_wildcard_is_answered_though_empty_only_if_the_client_holds_nothing() -> None:
    """An Envoy that starts gets an empty answer; after that silence."""
    stream = DeltaStream()
    request(stream, TypeUrl.LISTENER)
    assert told(response(stream, clusters(1))) == ([], [])
    assert stream.next_response(clusters(1)) is None


def test_missing_name_is_told_as_removed_once() -> None:
    """A name that does not exist is answered as removed, once for each subscription, and sent when it exists."""
    stream = DeltaStream()
    request(stream, TypeUrl.ROUTE, resource_names_subscribe=["ghost"])
    first = response(stream, clusters(1))
    assert told(first) == ([], ["ghost"])
    request(stream, TypeUrl.ROUTE, response_nonce=first.nonce)
    assert stream.next_response(clusters(2)) is None
    assert told(response(stream, view_state(3, [sample(TypeUrl.ROUTE, "ghost")]))) == (["ghost"], [])


def test_subscriptions_count_even_with_a_stale_nonce() -> None:
    """The lists of a Delta request are changes: with a stale nonce they count, while the answer does not."""
    stream = DeltaStream()
    request(stream, TypeUrl.ROUTE, resource_names_subscribe=["a"])
    outcome = request(stream, TypeUrl.ROUTE, resource_names_subscribe=["b"], response_nonce="no-such")
    assert (outcome.stale, outcome.ack, outcome.subscribed) == (True, None, frozenset("b"))
    state = view_state(1, [sample(TypeUrl.ROUTE, "a"), sample(TypeUrl.ROUTE, "b")])
    assert told(response(stream, state)) == (["a", "b"], [])


def test_ack_may_carry_subscriptions() -> None:
    """An ACK that subscribes to a further name is an ACK, and that name is answered."""
    stream = DeltaStream()
    state = view_state(1, [sample(TypeUrl.ROUTE, "a"), sample(TypeUrl.ROUTE, "b")])
    request(stream, TypeUrl.ROUTE, resource_names_subscribe=["a"])
    nonce = response(stream, state).nonce
    outcome = request(stream, TypeUrl.ROUTE, response_nonce=nonce, resource_names_subscribe=["b"])
    assert outcome.ack is not None
    assert told(response(stream, state)) == (["b"], [])


def test_unsubscribed_name_is_forgotten() -> None:
    """After unsubscribing, neither the update nor the removal of a name is told."""
    stream = DeltaStream()
    request(stream, TypeUrl.CLUSTER, resource_names_subscribe=["a", "b"])
    nonce = response(stream, clusters(1, a="1", b="1")).nonce
    outcome = request(stream, TypeUrl.CLUSTER, response_nonce=nonce, resource_names_unsubscribe=["b"])
    assert outcome.unsubscribed == frozenset("b")
    assert stream.next_response(clusters(2, a="1", b="2")) is None
    assert stream.next_response(clusters(3, a="1")) is None


def test_unsubscribing_the_wildcard_keeps_names() -> None:
    """After the wildcard ended, only names that were subscribed by themselves are told."""
    stream = DeltaStream()
    request(stream, TypeUrl.CLUSTER, resource_names_subscribe=["*", "a"])
    response(stream, clusters(1, a="1", b="1"))
    request(stream, TypeUrl.CLUSTER, resource_names_unsubscribe=["*"])
    assert told(response(stream, clusters(2, a="2", b="2"))) == (["a"], [])


def test_rejected_names_are_removed_later() -> None:
    """A name out of a rejected response may have been accepted, so its removal is told; its rejected content is not repeated."""
    stream = DeltaStream()
    request(stream, TypeUrl.CLUSTER)
    nonce = response(stream, clusters(1, good="1", bad="1")).nonce
    request(stream, TypeUrl.CLUSTER, response_nonce=nonce, error_detail={"message": "Error adding/updating cluster(s) bad: no"})
    assert stream.next_response(clusters(2, good="1", bad="1")) is None
    assert told(response(stream, clusters(3, bad="2"))) == (["bad"], ["good"])
