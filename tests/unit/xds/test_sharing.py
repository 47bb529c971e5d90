"""Unit tests of what streams share, and that it is not kept for longer than somebody has it."""

from __future__ import annotations

import gc
from typing import Any
from weakref import ref

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.xds import sharing as module
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.differences import Claims
from meshctl_operator.xds.events import Push, Sent
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing, _Table
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState
from tests.support.xds_rig import sample

NAMES = [f"name-{number}" for number in range(100)]


def endpoints(mark: str = "1") -> ShardedMap[XdsResource]:
    """Return the endpoints of a hundred clusters."""
    return ShardedMap.of({name: sample(TypeUrl.ENDPOINT, name, mark) for name in NAMES})


def subscribed(sharing: Sharing, names: list[str]) -> DeltaStream:
    """Return a stream that wants these endpoints."""
    stream = DeltaStream(sharing)
    request = discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.ENDPOINT, resource_names_subscribe=names)
    request.node.id = "test-id"
    stream.on_request(request)
    return stream


def pushed(stream: DeltaStream, resources: ShardedMap[XdsResource], revision: int) -> Push:
    """Return the response that is due, ACKed."""
    push = stream.next_push(ViewState(revision, {TypeUrl.ENDPOINT: resources}))
    assert isinstance(push, Push)
    stream.on_request(discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.ENDPOINT, response_nonce=push.nonce))
    return push


def test_equal_sets_of_names_are_one() -> None:
    """What many clients subscribe to is kept once, in whatever order they name it, and goes away with them."""
    sharing = Sharing()
    one = sharing.names(frozenset(NAMES))
    assert sharing.names(frozenset(reversed(NAMES))) is one
    gone = ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_equal_claims_are_one() -> None:
    """What clients say that they hold is one object if it is equal, whoever says it; the map of a request has no order."""

    def request(names: list[str], **fields: Any) -> discovery_pb2.DeltaDiscoveryRequest:
        return discovery_pb2.DeltaDiscoveryRequest(initial_resource_versions=dict.fromkeys(names, "1"), **fields)

    sharing = Sharing()
    one = sharing.claims(request(NAMES, resource_names_subscribe=["a"], node={"id": "one"}))
    assert one.versions == dict.fromkeys(NAMES, "1")
    assert sharing.claims(request(NAMES[::-1], resource_names_unsubscribe=["b"], node={"id": "other"})) is one
    assert sharing.claims(request(NAMES[1:])) is not one


def test_a_response_is_composed_once() -> None:
    """Streams that are told the same are given the very same response: the first of all, and each change, whatever else they want."""
    sharing = Sharing()
    streams = [subscribed(sharing, NAMES), subscribed(sharing, NAMES[::-1]), subscribed(sharing, [*NAMES, "other"])]
    first = endpoints()
    pushes = [pushed(stream, first, 1) for stream in streams]
    assert pushes[0] is pushes[1]
    assert pushes[2].removed == ("other",)
    second = first.with_items({NAMES[0]: sample(TypeUrl.ENDPOINT, NAMES[0], "2")})
    pushes = [pushed(stream, second, 2) for stream in streams]
    assert pushes[0] is pushes[1] is pushes[2]
    assert pushes[0].changed == (NAMES[0],)


def test_a_response_is_shared_in_sotw_by_those_who_want_the_same() -> None:
    """A SotW response has a version of all that is wanted, so streams that want something else get another one."""
    sharing, resources = Sharing(), endpoints()
    bodies = []
    for names in (NAMES, NAMES, NAMES[1:]):
        stream = SotwStream(sharing)
        request = discovery_pb2.DiscoveryRequest(type_url=TypeUrl.ENDPOINT, resource_names=names, node={"id": "test-id"})
        stream.on_request(request)
        bodies.append(stream.next_push(ViewState(1, {TypeUrl.ENDPOINT: resources})))
    assert bodies[0] is bodies[1]
    assert bodies[2] is not bodies[0]


def test_a_nonce_is_never_used_twice_on_a_stream() -> None:
    """A stream that is told the same change again, because the state went back and forth, gets another nonce each time."""
    stream = subscribed(Sharing(), NAMES)
    first = endpoints()
    second = first.with_items({NAMES[0]: sample(TypeUrl.ENDPOINT, NAMES[0], "2")})
    nonces = [pushed(stream, first if revision % 2 else second, revision % 2).nonce for revision in range(6)]
    assert len(set(nonces)) == len(nonces)


def test_another_mapping_has_another_response() -> None:
    """A response is found again only for the very mapping that it was made of: revision and names may be equal by chance."""
    sharing = Sharing()
    bodies = {pushed(subscribed(sharing, NAMES), endpoints(mark), 1).body for mark in ("1", "2")}
    assert len(bodies) == 2


def test_nothing_keeps_resources_alive() -> None:
    """Comparisons and responses are remembered, but the resources go away with the last view and stream that has them."""
    sharing = Sharing()
    stream = subscribed(sharing, NAMES)
    resources = endpoints()
    gone = ref(resources)
    pushed(stream, resources, 1)
    pushed(stream, endpoints("2"), 2)
    del resources
    gc.collect()
    assert gone() is None


def test_old_responses_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a total size responses are kept for streams that come later; the oldest go first, unless somebody is writing them."""
    monkeypatch.setattr(module, "MAX_RESPONSES", 100)
    sharing = Sharing()

    def push(number: int) -> Push:
        return Push(TypeUrl.CLUSTER, number, (), (), Sent("1", 1, {}), b"x" * 60, ref(EMPTY_MAP))

    writing = push(1)
    sharing.keep(1, writing)
    for number in (2, 3):
        sharing.keep(number, push(number))
    assert [sharing.response(number, EMPTY_MAP) is not None for number in (1, 2, 3)] == [True, False, True]
    assert sharing.response(1, EMPTY_MAP) is writing


def test_comparisons_are_bounded() -> None:
    """However many changes there are, only the newest comparisons are remembered."""
    sharing = Sharing()
    states = [endpoints(str(number)) for number in range(3)]
    for _ in range(module.MAX_REMEMBERED):
        for state in states:
            sharing.difference(ShardedMap.of({}), state)
    assert len(sharing._differences._values) <= module.MAX_REMEMBERED


def test_missing_and_unclaimed_names_are_found_once() -> None:
    """Names that do not exist, and names that a client does not say it holds, are the same objects the next time."""
    sharing, resources, names = Sharing(), endpoints(), frozenset([*NAMES, "other"])
    assert sharing.missing(names, resources) == ("other",)
    assert sharing.missing(names, resources) is sharing.missing(names, resources)
    claims = sharing.claims(discovery_pb2.DeltaDiscoveryRequest(initial_resource_versions={"other": "1"}))
    assert sharing.unclaimed(names, claims) == frozenset(NAMES)
    assert sharing.unclaimed(names, claims) is sharing.unclaimed(names, claims)


def test_released_responses_are_found_while_somebody_has_them() -> None:
    """What a stream is still sending is shared on; the rest is gone with its bytes."""
    table: _Table[str, Claims] = _Table(1000)
    sent, unsent = Claims({"a": "1"}), Claims({"b": "1"})
    table.put("sent", sent, 500)
    table.put("unsent", unsent, 500)
    del unsent
    table.release()
    gc.collect()
    assert table.get("sent") is sent
    assert table.get("unsent") is None
