"""The search for the virtual hosts for which a client rejects whole responses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.isolation import Isolation
from meshctl_operator.xds.resources import TypeUrl, make_resource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.state import ViewState, view_state
from meshctl_operator.xds.virtual_hosts import shell_version
from tests.support.xds_rig import mark_of, sample

BAD = "bad"
MOST_RESPONSES = 200


def test_one_rejected_alone_counts_at_once() -> None:
    """Where nothing was withheld there is nothing to search."""
    isolation = Isolation()
    assert isolation.rejected({"80/a": "1"})
    assert isolation.rejected({"80/a": "1", "80/b": None})
    assert isolation.rejected({"80/b": None})
    assert not isolation.active
    assert isolation.portion(("a", "b")) == (("a", "b"), ())


def test_halves() -> None:
    """A rejected response is told again in halves, an accepted one doubles the next; a suspect is tried again when all is through."""
    isolation = Isolation()
    assert not isolation.rejected({"a": "1", "b": "1", "c": "1", "d": None})
    assert isolation.portion(("a", "b", "c")) == (("a",), ("b", "c"))
    isolation.accepted()
    assert isolation.portion(("b", "c")) == (("b", "c"), ())
    assert not isolation.rejected({"b": "1", "c": "1"})
    assert not isolation.rejected({"b": "1"})
    assert isolation.portion(("b", "c")) == (("c",), ("b",))
    isolation.accepted()
    assert isolation.through() == ("b",)
    assert isolation.active
    assert isolation.rejected({"b": "1"})
    assert isolation.through() == ()
    assert not isolation.active


class Client:
    """A Delta client that does as Envoy: it applies nothing of a response that has something bad, or the same domain twice."""

    def __init__(self) -> None:
        self.stream = DeltaStream(Sharing(clock=count(step=1000).__next__))  # waits are over at once
        self.domains: dict[str, str] = {}
        self.rejected: list[str] = []
        request = discovery_pb2.DeltaDiscoveryRequest(node=base_pb2.Node(id="x"), type_url=TypeUrl.VIRTUAL_HOST)
        self.stream.on_request(request)

    def settle(self, state: ViewState) -> None:
        """Take responses until there are none; there must not be too many."""
        for _ in range(MOST_RESPONSES):
            body = self.stream.next_response(state)
            if body is None:
                return
            self._answer(discovery_pb2.DeltaDiscoveryResponse.FromString(body))
        raise AssertionError("the stream does not come to rest")

    def _answer(self, response: discovery_pb2.DeltaDiscoveryResponse) -> None:
        then = {name: domain for name, domain in self.domains.items() if name not in response.removed_resources}
        for entry in response.resources:
            then[entry.name] = mark_of(route_components_pb2.VirtualHost.FromString(entry.resource.value))
        good = BAD not in then.values() and len(set(then.values())) == len(then)
        if good:
            self.domains = then
        request = discovery_pb2.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if not good:
            request.error_detail.CopyFrom(status_pb2.Status(message="rejected"))
        nack = self.stream.on_request(request).nack
        if nack is not None:
            self.rejected += [name for name, version in nack.changes.items() if version is not None]


def hosts(revision: int, domains: Mapping[str, str]) -> ViewState:
    """Return a state of virtual hosts with one domain each."""
    named = [sample(TypeUrl.VIRTUAL_HOST, f"80/{name}", domain) for name, domain in domains.items()]
    shell = sample(TypeUrl.ROUTE, "80").body
    return view_state(revision, [make_resource(TypeUrl.ROUTE, "80", shell, shell_version(shell)), *named])


_NAMES = st.sets(st.sampled_from([f"{letter}{number}" for letter in "abc" for number in range(9)]))


@given(_NAMES, _NAMES, _NAMES)
def test_the_good_get_through(first: set[str], second: set[str], bad: set[str]) -> None:
    """Whatever is bad, after every change the client holds all that is good, and exactly the bad ones are reported, once."""
    client = Client()
    client.settle(hosts(1, {name: f"{name}.com" for name in first}))
    client.settle(hosts(2, {name: BAD if name in bad else f"{name}.org" for name in second}))
    good = {f"80/{name}": f"{name}.org" for name in second - bad}
    stays = {f"80/{name}": f"{name}.com" for name in first & second & bad}
    assert client.domains == good | stays
    assert sorted(client.rejected) == sorted(f"80/{name}" for name in second & bad)
    client.rejected.clear()
    client.settle(hosts(3, {name: f"{name}.net" for name in second}))
    assert client.domains == {f"80/{name}": f"{name}.net" for name in second}
    assert not client.rejected


def test_an_innocent_that_waits_for_a_domain_gets_it() -> None:
    """One that is rejected because another has not given up its domain yet is tried again, and not reported."""
    client = Client()
    client.settle(hosts(1, {"a": "1", "b": "2", "c": "3", "d": "4"}))
    client.settle(hosts(2, {"a": "3", "b": BAD, "c": "5", "d": "4"}))
    assert client.domains == {"80/a": "3", "80/b": "2", "80/c": "5", "80/d": "4"}
    assert client.rejected == ["80/b"]


def test_an_exchange_of_domains_beside_something_bad_waits() -> None:
    """Two that exchange their domains cannot be told apart from what is bad: they keep what they had until one of the three changes."""
    client = Client()
    client.settle(hosts(1, {"a": "1", "b": "2", "c": "3", "d": "4"}))
    client.settle(hosts(2, {"a": "4", "b": "2", "c": BAD, "d": "1"}))
    assert client.domains == {"80/a": "1", "80/b": "2", "80/c": "3", "80/d": "4"}
    assert client.rejected == ["80/a", "80/c", "80/d"]
