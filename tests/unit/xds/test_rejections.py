"""What a client rejects, and what is told again because of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.rpc import status_pb2
from hypothesis import given, settings
from hypothesis import strategies as st

from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.rejections import AT_ONCE, FIRST_WAIT, LONGEST_WAIT, Rejections, named_in
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import mark_of, sample, sample_message

CDS = TypeUrl.CLUSTER
NAMES = [f"{letter}{number}" for letter in "ab" for number in range(8)]
MOST_RESPONSES = 400


def test_names_are_found_as_whole_words() -> None:
    """A name that is part of another one is not named with it."""
    names = ["outbound|80||a", "outbound|80||a.b", "outbound|80|v1|a.b"]
    assert named_in("Error adding/updating cluster(s) outbound|80||a.b: bad", names) == ("outbound|80||a.b",)
    assert named_in("nothing is named", names) == ()


def test_what_is_named_counts_and_the_rest_is_told_again() -> None:
    """Unless Envoy says in its usual words that it applied the rest; virtual hosts are never named."""
    changes = {"a": "1", "b": "1", "c": None}
    assert Rejections().rejected(changes, "a: no", 0.0, atomic=False) == (("a", "b", "c"), True)
    assert Rejections().rejected(changes, "Error adding/updating cluster(s) a: no", 0.0, atomic=False) == (("a",), True)
    assert Rejections().rejected(changes, "a: no", 0.0, atomic=True) == (("a", "b", "c"), False)
    assert Rejections().rejected({"c": None}, "no", 0.0, atomic=False) == ((), True)


def test_a_rejected_version_is_not_told_again() -> None:
    """Another one of the name is, and after its ACK nothing is left to remember."""
    rejections = Rejections()
    old = sample(CDS, "a", "1")
    rejections.rejected({"a": old.version}, "no", 0.0, atomic=False)
    assert rejections.portion(("a", "b"), ShardedMap.of({"a": old, "b": old})) == (("b",), ("a",))
    assert rejections.portion(("a",), ShardedMap.of({"a": sample(CDS, "a", "2")})) == (("a",), ())
    assert not rejections.accepted({"b": "1"})
    assert rejections.accepted({"a": "2"})


def test_rejections_in_a_row_make_wait() -> None:
    """The first ones nothing, so that a search is quick; then each doubles the wait, up to a limit; an ACK ends it."""
    rejections = Rejections()
    for _ in range(AT_ONCE):
        rejections.rejected({"a": "1"}, "no", 5.0, atomic=False)
        assert rejections.not_before == 0.0
    for number in range(3):
        rejections.rejected({"a": "1"}, "no", 5.0, atomic=False)
        assert rejections.not_before == 5.0 + FIRST_WAIT * 2**number
    for _ in range(100):
        rejections.rejected({"a": "1"}, "no", 5.0, atomic=False)
    assert rejections.not_before == 5.0 + LONGEST_WAIT
    rejections.accepted({"a": "2"})
    assert rejections.not_before == 0.0


class Client:
    """A client that rejects whatever has a mark that begins with "bad": as Envoy, with the names and the rest applied, or with neither.

    ``names`` says whether it names what it rejects, and ``applies`` whether the rest counts then.
    """

    def __init__(self, type_url: TypeUrl, *, delta: bool, names: bool) -> None:
        sharing = Sharing(clock=count(step=1000).__next__)  # waits are over at once
        self.stream: Any = DeltaStream(sharing) if delta else SotwStream(sharing)
        self.type_url, self.delta, self.names = type_url, delta, names
        self.applies = names and type_url is CDS
        self.held: dict[str, str] = {}
        self.rejected: list[str] = []
        self.unanswered: deque[bytes] = deque()
        self._ask()

    def _ask(self, **fields: Any) -> Any:
        wanted = [] if self.type_url is CDS or (fields and self.delta) else NAMES
        names = {"resource_names_subscribe": wanted} if self.delta else {"resource_names": wanted}
        request = discovery_pb2.DeltaDiscoveryRequest if self.delta else discovery_pb2.DiscoveryRequest
        return self.stream.on_request(request(node=base_pb2.Node(id="x"), type_url=self.type_url, **names, **fields))

    def settle(self, state: ViewState) -> None:
        """Take and answer responses until there are none; there must not be too many."""
        for _ in range(MOST_RESPONSES):
            self.take(state)
            if not self.unanswered:
                return
            self.answer()
        raise AssertionError("the stream does not come to rest")

    def take(self, state: ViewState) -> None:
        """Take what there is to take."""
        while (body := self.stream.next_response(state)) is not None:
            self.unanswered.append(body)

    def answer(self) -> None:
        """Apply and answer the oldest response."""
        then, bad, nonce = self._read(self.unanswered.popleft())
        if not bad or self.applies:
            kept = {name: self.held[name] for name in bad if name in self.held}
            self.held = {name: mark for name, mark in then.items() if name not in bad} | kept
        text = f"Error adding/updating cluster(s) {', '.join(bad)}: no" if self.applies else ", ".join(bad) if self.names else "no"
        error = {"error_detail": status_pb2.Status(message=text)} if bad else {}
        nack = self._ask(response_nonce=nonce, **error).nack
        if nack is not None:
            new = {name for name, version in nack.changes.items() if version is not None}
            self.rejected += [name for name in bad if name in new] if self.names else sorted(new)

    def _read(self, body: bytes) -> tuple[dict[str, str], list[str], str]:
        """Return what is held if a response is applied, which of it is bad, and the nonce."""
        kind = type(sample_message(self.type_url, "", ""))
        if self.delta:
            response = discovery_pb2.DeltaDiscoveryResponse.FromString(body)
            then = {name: mark for name, mark in self.held.items() if name not in response.removed_resources}
            new = {entry.name: mark_of(kind.FromString(entry.resource.value)) for entry in response.resources}
        else:
            response = discovery_pb2.DiscoveryResponse.FromString(body)
            then = {} if self.type_url is CDS else dict(self.held)
            messages = [kind.FromString(entry.value) for entry in response.resources]
            new = {message.name: mark_of(message) for message in messages}
        return then | new, sorted(name for name, mark in new.items() if mark.startswith("bad")), response.nonce


def state(revision: int, type_url: TypeUrl, marks: Mapping[str, str]) -> ViewState:
    """Return a state of resources with these marks."""
    return view_state(revision, [sample(type_url, name, mark) for name, mark in marks.items()])


MARKS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["one", "two", "three", "bad1", "bad2"]))
variants = pytest.mark.parametrize("delta", [True, False], ids=["delta", "sotw"])
types = pytest.mark.parametrize("type_url", [CDS, TypeUrl.SECRET], ids=["complete", "single"])
naming = pytest.mark.parametrize("names", [True, False], ids=["named", "unnamed"])


@variants
@types
@naming
@settings(max_examples=40)
@given(changes=st.lists(MARKS, min_size=1, max_size=4))
def test_the_good_get_through(changes: list[dict[str, str]], *, type_url: TypeUrl, delta: bool, names: bool) -> None:
    """Whatever is bad, after each change the client holds all that is good, and of the bad what it had; only the bad is reported, once."""
    client = Client(type_url, delta=delta, names=names)
    wanted: dict[str, str] = {}
    before: dict[str, str] = {}
    for revision, marks in enumerate(changes, 1):
        client.rejected.clear()
        client.settle(state(revision, type_url, marks))
        had = {name: wanted[name] for name, mark in marks.items() if mark.startswith("bad") and name in wanted}
        wanted = {name: mark for name, mark in marks.items() if not mark.startswith("bad")} | had
        gone = set() if delta or type_url is CDS else client.held.keys() - marks.keys()  # of which nothing is said in SotW
        assert {name: mark for name, mark in client.held.items() if name not in gone} == wanted
        if not gone:
            new = {name for name, mark in marks.items() if mark.startswith("bad") and before.get(name) != mark}
            assert sorted(client.rejected) == sorted(new)
        else:
            wanted |= {name: client.held[name] for name in gone}
        before = marks if delta or type_url is CDS else {**before, **marks}


@variants
@types
@naming
@settings(max_examples=40)
@given(changes=st.lists(MARKS, min_size=2, max_size=5), data=st.data())
def test_changes_meanwhile(changes: list[dict[str, str]], data: st.DataObject, *, type_url: TypeUrl, delta: bool, names: bool) -> None:
    """Where changes overtake answers the client ends with all that is good, too, and nothing innocent is reported."""
    client = Client(type_url, delta=delta, names=names)
    for revision, marks in enumerate(changes, 1):
        client.take(state(revision, type_url, marks))
        for _ in range(data.draw(st.integers(0, len(client.unanswered)))):
            client.answer()
    client.settle(state(9, type_url, changes[-1]))
    good = {name: mark for name, mark in changes[-1].items() if not mark.startswith("bad")}
    assert good.items() <= client.held.items()
    assert not any(mark.startswith("bad") for mark in client.held.values())
    if delta or type_url is CDS:
        assert client.held.keys() <= changes[-1].keys()
    assert set(client.rejected) <= {name for marks in changes for name, mark in marks.items() if mark.startswith("bad")}
