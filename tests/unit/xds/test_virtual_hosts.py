"""Virtual hosts as resources: pure rules, and when a stream sends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl, XdsResource, content_hash, make_resource
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from meshctl_operator.xds.virtual_hosts import is_shell, removable, route_of, shell_version, takes_split_routes
from tests.support.xds_rig import sample


def shell(name: str) -> XdsResource:
    """Return the shell of a route configuration."""
    body = sample(TypeUrl.ROUTE, name, "shell").body
    return make_resource(TypeUrl.ROUTE, name, body, shell_version(body))


def split(revision: int, *hosts: str, routes: str = "80", mark: str = "1") -> ViewState:
    """Return a state with split route configurations and their virtual hosts, and the same with whole ones."""
    rest = [sample(TypeUrl.LISTENER, name) for name in routes.split()] + [sample(TypeUrl.CLUSTER, "a")]
    shells = [shell(name) for name in routes.split()]
    now = view_state(revision, [*rest, *shells, *(sample(TypeUrl.VIRTUAL_HOST, name, mark) for name in hosts)])
    whole = {resource.name: resource for resource in (sample(TypeUrl.ROUTE, name, mark) for name in routes.split())}
    return replace(now, make_whole=lambda: {**now.resources, TypeUrl.VIRTUAL_HOST: EMPTY_MAP, TypeUrl.ROUTE: ShardedMap.of(whole)})


def plus(state: ViewState, route: XdsResource) -> ViewState:
    """Return a state with one more route configuration."""
    return replace(state, resources={**state.resources, TypeUrl.ROUTE: state.of(TypeUrl.ROUTE).with_items({route.name: route})})


def node(*version: int) -> base_pb2.Node:
    """Return what an Envoy of a version says about itself."""
    found = base_pb2.Node(id="test-id", user_agent_name="envoy")
    if version:
        number = found.user_agent_build_version.version
        number.major_number, number.minor_number, number.patch = version
    return found


class Client:
    """A Delta stream and what it was told."""

    def __init__(self, *version: int) -> None:
        self.stream = DeltaStream()
        self._node = node(*version)

    def ask(self, type_url: TypeUrl, *names: str, **fields: Any) -> None:
        """Subscribe to names, or to everything."""
        request = discovery_pb2.DeltaDiscoveryRequest(node=self._node, type_url=type_url, resource_names_subscribe=names, **fields)
        self.stream.on_request(request)

    def told(self, state: ViewState, *, ack: bool = True) -> list[tuple[str, list[str], list[str]]]:
        """Return the responses that are due, as type, changed and removed names, and ACK them one by one."""
        found = []
        while (body := self.stream.next_response(state)) is not None:
            response = discovery_pb2.DeltaDiscoveryResponse.FromString(body)
            type_url = TypeUrl(response.type_url)
            found.append((type_url.short, [entry.name for entry in response.resources], list(response.removed_resources)))
            if ack:
                self.stream.on_request(discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, response_nonce=response.nonce))
        return found

    def begin(self, state: ViewState) -> None:
        """Ask as Envoy does, for all route configurations of the state, until everything is told."""
        self.ask(TypeUrl.LISTENER)
        self.told(state)
        self.ask(TypeUrl.ROUTE, *state.of(TypeUrl.ROUTE))
        self.told(state)
        self.ask(TypeUrl.VIRTUAL_HOST)
        self.told(state)


@pytest.mark.parametrize(("name", "route"), [("80/a", "80"), ("x/80/a", "x/80"), ("a", "")])
def test_route_of(name: str, route: str) -> None:
    """A virtual host belongs to what stands before the last slash."""
    assert route_of(name) == route


def test_versions_tell_the_form() -> None:
    """The version of a shell is the hash of its content with a mark."""
    assert is_shell(shell_version(b"x"))
    assert shell_version(b"x").endswith(content_hash(b"x"))
    assert not is_shell(content_hash(b"x"))
    assert not is_shell("")


@pytest.mark.parametrize(("version", "takes"), [(None, True), ((1, 39, 9), False), ((1, 40, 0), True), ((2, 0, 0), True)])
def test_who_takes_split_routes(version: tuple[int, int, int] | None, takes: bool) -> None:  # noqa: FBT001  (a parameter of the case)
    """Envoys before 1.40 are served whole ones; a client without a version is no Envoy."""
    assert takes_split_routes(NodeInfo("x", version=version)) is takes


def test_removable() -> None:
    """Virtual hosts are removed from split route configurations that exist, or if asked for; the very tuple is returned if these are all."""
    routes = plus(split(1), sample(TypeUrl.ROUTE, "whole")).of(TypeUrl.ROUTE)
    names = ("80/a", "80/b")
    assert removable(names, routes) is names
    assert removable(("80/a", "81/a"), routes) == ("80/a",)
    assert removable(("81/a", "81/b"), routes, {"81/b"}) == ("81/b",)
    assert removable(("80/a", "whole/a"), routes) == ("80/a",)


def test_virtual_hosts_come_after_their_route_configuration() -> None:
    """All that exist are sent when they are asked for, then what changed and what is gone, in one response."""
    client = Client()
    client.ask(TypeUrl.LISTENER)
    client.ask(TypeUrl.ROUTE, "80")
    assert client.told(split(1, "80/a", "80/b")) == [("LDS", ["80"], []), ("RDS", ["80"], [])]
    client.ask(TypeUrl.VIRTUAL_HOST)
    assert client.told(split(1, "80/a", "80/b")) == [("VHDS", ["80/a", "80/b"], [])]
    assert client.told(split(2, "80/b", "80/c")) == [("VHDS", ["80/c"], ["80/a"])]
    assert client.told(split(3, "80/b", "80/c", mark="2")) == [("VHDS", ["80/b", "80/c"], [])]


def test_virtual_hosts_wait_for_listeners_and_routes() -> None:
    """While a listener or route waits for its answer no virtual host is sent: the client may not know its route configuration yet."""
    client = Client()
    client.begin(split(1, "80/a"))
    more = split(2, "80/a", "81/a", routes="80 81")
    (sent,) = client.told(more, ack=False)
    assert sent == ("LDS", ["81"], [])
    client.ask(TypeUrl.ROUTE, "81")
    (sent,) = client.told(more, ack=False)
    assert sent == ("RDS", ["81"], [])
    for watch in client.stream._watches.values():
        client.stream.on_request(discovery_pb2.DeltaDiscoveryRequest(type_url=watch.type_url, response_nonce=watch.exchange.latest))
    assert client.told(more) == [("VHDS", ["81/a"], [])]


def test_virtual_hosts_follow_a_route_configuration_that_is_asked_for_anew() -> None:
    """A client that unsubscribed from a route configuration has lost its virtual hosts, and those alone are sent again."""
    state = split(1, "80/a", "81/a", routes="80 81")
    client = Client()
    client.begin(state)
    client.ask(TypeUrl.ROUTE, resource_names_unsubscribe=["81"])
    assert client.told(state) == []
    client.ask(TypeUrl.ROUTE, "81")
    assert client.told(state) == [("RDS", ["81"], []), ("VHDS", ["81/a"], [])]


def test_claims_do_not_count_for_a_new_route_configuration() -> None:
    """On reconnect a claim is believed only of route configurations that are claimed as well: Envoy never forgets a virtual host."""
    state = split(1, "80/a", "81/a", routes="80 81")
    virtual_hosts = {name: sample(TypeUrl.VIRTUAL_HOST, name).version for name in ("80/a", "81/a")}
    for routes_first in (True, False):
        client = Client()
        client.ask(TypeUrl.ROUTE, "80", "81", initial_resource_versions={"80": shell("80").version})
        first = client.told(state) if routes_first else []
        client.ask(TypeUrl.VIRTUAL_HOST, initial_resource_versions=virtual_hosts)
        assert first + client.told(state) == [("RDS", ["81"], []), ("VHDS", ["81/a"], [])]


def test_virtual_hosts_of_a_removed_route_configuration_stay() -> None:
    """They serve the last connections of a drained listener; and nothing waits for their removal."""
    client = Client()
    client.ask(TypeUrl.CLUSTER)
    client.begin(split(1, "80/a", "80/b", "81/a", routes="80 81"))
    without = split(2, "80/a")
    assert client.told(without) == [("LDS", [], ["81"]), ("RDS", [], ["81"]), ("VHDS", [], ["80/b"])]
    client = Client()
    client.begin(split(1, "80/a", "81/a", routes="80 81"))
    assert client.told(without) == [("LDS", [], ["81"]), ("RDS", [], ["81"])]
    assert client.stream.may_break(without)


def test_a_route_configuration_that_comes_back_has_none_of_its_old_virtual_hosts() -> None:
    """What the client still has of it goes in the response that brings the new ones: two of them may want one domain."""
    client = Client()
    client.begin(split(1, "80/a", "81/old", routes="80 81"))
    client.told(split(2, "80/a"))
    assert client.told(split(3, "80/a", "81/new", routes="80 81")) == [
        ("LDS", ["81"], []),
        ("RDS", ["81"], []),
        ("VHDS", ["81/new"], ["81/old"]),
    ]


def test_what_the_client_has_given_up_is_forgotten() -> None:
    """Once it does not want a route configuration any more, it has none of its virtual hosts."""
    client = Client()
    client.begin(split(1, "80/a", "81/old", routes="80 81"))
    client.told(split(2, "80/a"))
    client.stream.on_request(discovery_pb2.DeltaDiscoveryRequest(type_url=TypeUrl.ROUTE, resource_names_unsubscribe=["81"]))
    client.ask(TypeUrl.ROUTE, "81")
    told = client.told(split(3, "80/a", "81/new", routes="80 81"))
    assert ("VHDS", ["81/new"], []) in told


def test_a_client_that_cannot_take_split_routes_gets_whole_ones() -> None:
    """An Envoy before 1.40 and a client of the SotW variant are served whole route configurations, and no virtual hosts."""
    state = split(1, "80/a")
    whole = state.whole.of(TypeUrl.ROUTE)["80"].version
    old = Client(1, 39, 0)
    old.begin(state)
    assert old.stream.held(TypeUrl.ROUTE) == {"80": whole}
    assert not old.stream.held(TypeUrl.VIRTUAL_HOST)
    new = Client(1, 40, 0)
    new.begin(state)
    assert new.stream.held(TypeUrl.ROUTE) == {"80": shell("80").version}
    sotw = SotwStream()
    sotw.on_request(discovery_pb2.DiscoveryRequest(node=node(1, 40, 0), type_url=TypeUrl.ROUTE, resource_names=["80"]))
    body = sotw.next_response(state)
    assert body is not None
    (resource,) = discovery_pb2.DiscoveryResponse.FromString(body).resources
    assert resource.value == state.whole.of(TypeUrl.ROUTE)["80"].body


@pytest.mark.parametrize("version", ["0123456789abcdef", ""])
def test_what_is_held_whole_stays_whole(version: str) -> None:
    """A client that comes with a whole route configuration, of ours or of another server, keeps that form for all, whatever changes."""
    client = Client()
    client.ask(TypeUrl.ROUTE, "80", "81", initial_resource_versions={"80": version})
    for revision, mark in enumerate("12", 1):
        state = split(revision, "80/a", routes="80 81", mark=mark)
        assert client.told(state) == [("RDS", ["80", "81"], [])]
        assert client.stream.held(TypeUrl.ROUTE) == {name: state.whole.of(TypeUrl.ROUTE)[name].version for name in ("80", "81")}


def test_what_is_held_split_stays_split() -> None:
    """A client that comes with a split route configuration is split; one of a kind that never is does not count."""
    never = sample(TypeUrl.ROUTE, "a:80")
    state = split(1, "80/a")
    with_never = replace(plus(state, never), make_whole=lambda: plus(state.whole, never).resources)
    client = Client()
    held = {"80": shell("80").version, "a:80": never.version}
    client.ask(TypeUrl.ROUTE, "80", "a:80", initial_resource_versions=held)
    assert client.told(with_never) == []
    assert client.stream.form(with_never) is with_never


def test_the_form_is_open_until_routes_are_asked_for() -> None:
    """Before that nothing depends on it, and a state without split route configurations leaves it open."""
    client = Client()
    client.ask(TypeUrl.LISTENER)
    state = split(1, "80/a")
    assert client.stream.form(state) is state
    plain = view_state(1, [sample(TypeUrl.ROUTE, "80")])
    client.ask(TypeUrl.ROUTE, "80")
    assert client.told(plain) == [("LDS", [], []), ("RDS", ["80"], [])]
    assert client.stream.form(state) is state.whole
