"""Unit tests of the SotW stream."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.events import Outcome
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import mark_of, sample, sample_message

NODE = base_pb2.Node(id="test-id")


def request(stream: SotwStream, type_url: TypeUrl, names: str = "", nonce: str = "", **fields: Any) -> Outcome:
    """Feed a request to the stream; each letter is a name."""
    message = discovery_pb2.DiscoveryRequest(node=NODE, type_url=type_url, resource_names=list(names), response_nonce=nonce, **fields)
    return stream.on_request(message)


def response(stream: SotwStream, state: ViewState) -> discovery_pb2.DiscoveryResponse:
    """Return the response that is due, which must be exactly what the protobuf library would write."""
    body = stream.next_response(state)
    assert body is not None
    parsed = discovery_pb2.DiscoveryResponse.FromString(body)
    assert parsed.SerializeToString(deterministic=True) == body
    return parsed


def marks(parsed: discovery_pb2.DiscoveryResponse) -> dict[str, str]:
    """Return the mark of each resource in a response, by name."""
    kind = TypeUrl(parsed.type_url)
    messages: list[Any] = [type(sample_message(kind, "", "")).FromString(entry.value) for entry in parsed.resources]
    return {message.cluster_name if kind is TypeUrl.ENDPOINT else message.name: mark_of(message) for message in messages}


def state(type_url: TypeUrl, revision: int = 1, **names: str) -> ViewState:
    """Return a state of one type, by name and mark."""
    return view_state(revision, [sample(type_url, name, mark) for name, mark in names.items()])


def test_full_state_types_list_everything() -> None:
    """A CDS response lists all clusters, changed or not, sorted by name."""
    stream = SotwStream()
    request(stream, TypeUrl.CLUSTER)
    response(stream, state(TypeUrl.CLUSTER, b="1", a="1"))
    assert list(marks(response(stream, state(TypeUrl.CLUSTER, 2, b="2", a="1"))).items()) == [("a", "1"), ("b", "2")]


def test_named_types_list_what_changed() -> None:
    """An EDS response lists only what changed."""
    stream = SotwStream()
    request(stream, TypeUrl.ENDPOINT, "ab")
    nonce = response(stream, state(TypeUrl.ENDPOINT, b="1", a="1")).nonce
    request(stream, TypeUrl.ENDPOINT, "ab", nonce)
    assert marks(response(stream, state(TypeUrl.ENDPOINT, 2, b="2", a="1"))) == {"b": "2"}


def test_version_depends_on_the_content_alone() -> None:
    """Equal content has the same version on every replica and in every revision, other content another one."""
    versions = []
    for revision, mark in ((1, "1"), (7, "1"), (8, "2")):
        stream = SotwStream()
        request(stream, TypeUrl.CLUSTER)
        versions.append(response(stream, state(TypeUrl.CLUSTER, revision, a=mark)).version_info)
    assert versions[0] == versions[1]
    assert versions[0] != versions[2]


@pytest.mark.parametrize("type_url", [t for t in TypeUrl if not t.delta_only], ids=lambda t: t.short)
def test_first_request_is_answered_whatever_its_version(type_url: TypeUrl) -> None:
    """On a new stream version and nonce of the client do not count."""
    stream = SotwStream()
    request(stream, type_url, "a", nonce="of-another-stream", version_info="any")
    assert marks(response(stream, state(type_url, a="1"))) == {"a": "1"}


def test_stale_names_do_not_count() -> None:
    """A request with an outdated nonce changes no subscription: the answer to the latest response will say what counts."""
    stream = SotwStream()
    request(stream, TypeUrl.ROUTE, "a")
    first = response(stream, state(TypeUrl.ROUTE, a="1")).nonce
    request(stream, TypeUrl.ROUTE, "a", first)
    second = response(stream, state(TypeUrl.ROUTE, 2, a="2")).nonce
    outcome = request(stream, TypeUrl.ROUTE, "ab", first)
    assert (outcome.stale, outcome.subscribed) == (True, frozenset())
    outcome = request(stream, TypeUrl.ROUTE, "ab", second)
    assert (outcome.stale, outcome.subscribed) == (False, frozenset("b"))
    assert marks(response(stream, state(TypeUrl.ROUTE, 2, a="2", b="1"))) == {"b": "1"}


def test_name_that_was_dropped_in_a_stale_request_is_sent_again() -> None:
    """A client that dropped a name and wants it again, both while a response was in flight, has forgotten it and gets it."""
    stream = SotwStream()
    current = state(TypeUrl.ENDPOINT, a="1", b="1")
    request(stream, TypeUrl.ENDPOINT, "ab")
    first = response(stream, current).nonce
    request(stream, TypeUrl.ENDPOINT, "ab", first)
    current = state(TypeUrl.ENDPOINT, 2, a="2", b="1")
    second = response(stream, current).nonce
    request(stream, TypeUrl.ENDPOINT, "a", first)
    request(stream, TypeUrl.ENDPOINT, "ab", first)
    assert stream.next_response(current) is None
    request(stream, TypeUrl.ENDPOINT, "ab", second)
    assert marks(response(stream, current)) == {"b": "1"}


def test_everything_that_was_dropped_in_a_stale_request_is_sent_again() -> None:
    """The same holds for a client that wants everything."""
    stream = SotwStream()
    current = state(TypeUrl.ENDPOINT, a="1")
    request(stream, TypeUrl.ENDPOINT, "*")
    first = response(stream, current).nonce
    request(stream, TypeUrl.ENDPOINT, "*", first)
    current = state(TypeUrl.ENDPOINT, 2, a="1", b="1")
    second = response(stream, current).nonce
    request(stream, TypeUrl.ENDPOINT, "", first)
    request(stream, TypeUrl.ENDPOINT, "*", first)
    assert stream.next_response(current) is None
    request(stream, TypeUrl.ENDPOINT, "*", second)
    assert marks(response(stream, current)) == {"a": "1", "b": "1"}


def test_repeated_request_asks_for_endpoints_again() -> None:
    """The same names with a nonce that was ACKed before ask for everything again; the ACK itself is not answered."""
    stream = SotwStream()
    current = state(TypeUrl.ENDPOINT, a="1", b="1")
    request(stream, TypeUrl.ENDPOINT, "ab")
    nonce = response(stream, current).nonce
    request(stream, TypeUrl.ENDPOINT, "ab", nonce)
    assert stream.next_response(current) is None
    request(stream, TypeUrl.ENDPOINT, "ab", nonce)
    assert marks(response(stream, current)) == {"a": "1", "b": "1"}


def test_repeated_ack_of_clusters_is_not_answered() -> None:
    """CDS and LDS are never asked for again with an old nonce, so a second ACK is no question."""
    stream = SotwStream()
    current = state(TypeUrl.CLUSTER, a="1")
    request(stream, TypeUrl.CLUSTER)
    nonce = response(stream, current).nonce
    for _ in range(2):
        request(stream, TypeUrl.CLUSTER, nonce=nonce)
        assert stream.next_response(current) is None


@pytest.mark.parametrize("type_url", [TypeUrl.CLUSTER, TypeUrl.ENDPOINT], ids=lambda t: t.short)
def test_request_without_nonce_starts_over(type_url: TypeUrl) -> None:
    """A client that has ACKed and sends no nonce has forgotten what it got: it is answered in full."""
    stream = SotwStream()
    current = state(type_url, a="1", b="1")
    request(stream, type_url, "ab")
    nonce = response(stream, current).nonce
    request(stream, type_url, "ab", nonce)
    request(stream, type_url, "ab")
    assert marks(response(stream, current)) == {"a": "1", "b": "1"}


def test_names_added_before_the_first_answer_arrived() -> None:
    """A client that adds a name before it has seen any nonce gets the name after the ACK of the response in flight."""
    stream = SotwStream()
    current = state(TypeUrl.ROUTE, a="1", b="1")
    request(stream, TypeUrl.ROUTE, "a")
    nonce = response(stream, current).nonce
    request(stream, TypeUrl.ROUTE, "ab")
    assert stream.next_response(current) is None
    request(stream, TypeUrl.ROUTE, "ab", nonce)
    assert marks(response(stream, current)) == {"b": "1"}


def test_nack_may_change_names() -> None:
    """A NACK carries the current names as well; new ones among them are answered, what was rejected is not repeated."""
    stream = SotwStream()
    current = state(TypeUrl.ROUTE, a="1", b="1")
    request(stream, TypeUrl.ROUTE, "a")
    nonce = response(stream, current).nonce
    outcome = request(stream, TypeUrl.ROUTE, "ab", nonce, error_detail={"message": "no"})
    assert outcome.nack is not None
    assert outcome.nack.message == "no"
    assert marks(response(stream, current)) == {"b": "1"}


def test_older_clusters_are_acked_while_newer_are_in_flight() -> None:
    """The ACK of a superseded CDS response counts, though its nonce is not the latest."""
    stream = SotwStream()
    request(stream, TypeUrl.CLUSTER)
    first = response(stream, state(TypeUrl.CLUSTER, 1, a="1")).nonce
    response(stream, state(TypeUrl.CLUSTER, 2, a="2"))
    outcome = request(stream, TypeUrl.CLUSTER, nonce=first)
    assert outcome.ack is not None
    assert (outcome.ack.revision, outcome.stale) == (1, False)


def test_removed_cluster_stays_listed_until_routes_are_acked() -> None:
    """A list of clusters keeps the removed one while a route response of the change is in flight, and lacks it afterwards."""
    stream = SotwStream()
    request(stream, TypeUrl.CLUSTER)
    request(stream, TypeUrl.ROUTE, "r")
    before = view_state(1, [sample(TypeUrl.CLUSTER, "old"), sample(TypeUrl.ROUTE, "r", "1")])
    after = view_state(2, [sample(TypeUrl.CLUSTER, "new"), sample(TypeUrl.ROUTE, "r", "2")])
    response(stream, before)
    nonce = response(stream, before).nonce
    request(stream, TypeUrl.ROUTE, "r", nonce)
    assert sorted(marks(response(stream, after))) == ["new", "old"]
    nonce = response(stream, after).nonce
    assert stream.next_response(after) is None
    request(stream, TypeUrl.ROUTE, "r", nonce)
    assert sorted(marks(response(stream, after))) == ["new"]


def test_types_of_the_delta_variant_are_not_served() -> None:
    """Virtual hosts are discovered in the Delta variant only: the request is understood as one for a type that is not served."""
    stream = SotwStream()
    assert request(stream, TypeUrl.VIRTUAL_HOST).type_url is None
    assert stream.next_response(state(TypeUrl.VIRTUAL_HOST, a="1")) is None


def reconnected(sharing: Sharing, version: str) -> SotwStream:
    """Return a new stream of a client that says it has the list of clusters with a version."""
    stream = SotwStream(sharing)
    request(stream, TypeUrl.CLUSTER, version_info=version)
    request(stream, TypeUrl.ROUTE, "r")
    return stream


def test_a_client_that_comes_back_keeps_removed_clusters_for_as_long_as_it_needs_them() -> None:
    """It says no more than the version of its list, which is remembered for a while after the last stream that had it."""
    sharing = Sharing()
    old = view_state(1, [sample(TypeUrl.CLUSTER, "old"), sample(TypeUrl.ROUTE, "r", "old")])
    new = view_state(2, [sample(TypeUrl.CLUSTER, "new"), sample(TypeUrl.ROUTE, "r", "new")])
    stream = reconnected(sharing, "")
    version = response(stream, old).version_info
    stream.closed()
    del stream, old
    gc.collect()
    sharing.release()
    stream = reconnected(sharing, version)
    clusters = response(stream, new)
    assert list(marks(clusters)) == ["new", "old"]
    request(stream, TypeUrl.CLUSTER, nonce=clusters.nonce)
    routes = response(stream, new)
    assert routes.type_url == TypeUrl.ROUTE
    request(stream, TypeUrl.ROUTE, "r", nonce=routes.nonce)
    assert list(marks(response(stream, new))) == ["new"]


def test_lists_are_forgotten_in_the_end() -> None:
    """A client that comes back later is told what there is."""
    sharing = Sharing()
    old = view_state(1, [sample(TypeUrl.CLUSTER, "old")])
    stream = reconnected(sharing, "")
    version = response(stream, old).version_info
    stream.closed()
    del stream, old
    for _ in range(2):
        sharing.release()
    gc.collect()
    after = view_state(2, [sample(TypeUrl.CLUSTER, "new")])
    assert list(marks(response(reconnected(sharing, version), after))) == ["new"]
