"""Unit tests of what both variants share: identity, order, endpoints that follow clusters, removals that come last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.base.shards import ShardedMap, shard_of
from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.events import Overdue, Push
from meshctl_operator.xds.readiness import FEW, Timing
from meshctl_operator.xds.resources import TypeUrl, XdsResource
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import sample

NODE = base_pb2.Node(id="test-id")


class Driver:
    """A stream of either variant, with requests in one form."""

    def __init__(self, protocol: str) -> None:
        self.delta = protocol == "delta"
        self.now = 100.0
        self.timing = Timing()
        self.restart()

    def restart(self) -> None:
        """Begin a new stream."""
        sharing = Sharing(self.timing, lambda: self.now)
        self.stream: Any = DeltaStream(sharing) if self.delta else SotwStream(sharing)
        self.names: dict[TypeUrl, list[str]] = {}

    def subscribe(self, type_url: TypeUrl, *names: str, nonce: str = "") -> None:
        """Subscribe; without names to everything."""
        self.names[type_url] = [*self.names.get(type_url, []), *names]
        if self.delta:
            request = discovery_pb2.DeltaDiscoveryRequest(node=NODE, type_url=type_url, resource_names_subscribe=names)
            self.stream.on_request(request)
        else:
            names_now = self.names[type_url]
            self.stream.on_request(
                discovery_pb2.DiscoveryRequest(node=NODE, type_url=type_url, resource_names=names_now, response_nonce=nonce)
            )

    def ack(self, push: Push) -> Any:
        """ACK a response."""
        if self.delta:
            return self.stream.on_request(discovery_pb2.DeltaDiscoveryRequest(type_url=push.type_url, response_nonce=push.nonce))
        names = self.names[push.type_url]
        request = discovery_pb2.DiscoveryRequest(type_url=push.type_url, resource_names=names, response_nonce=push.nonce)
        return self.stream.on_request(request)

    def pushes(self, state: ViewState) -> list[Push]:
        """Return all responses that are due."""
        return list(self._due(state))

    def settle(self, state: ViewState) -> None:
        """ACK responses until there are none."""
        while pushes := self.pushes(state):
            for push in pushes:
                self.ack(push)

    def _due(self, state: ViewState) -> Iterator[Push]:
        while (push := self.stream.next_push(state)) is not None:
            yield push


@pytest.fixture(params=["sotw", "delta"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Return a stream of each variant."""
    return Driver(request.param)


def state(revision: int, *names: str, mark: str = "1", skip: tuple[TypeUrl, ...] = ()) -> ViewState:
    """Return a state that has each name in each type."""
    return view_state(revision, [sample(t, name, mark) for t in TypeUrl if t not in skip for name in names])


def subscribe_all(driver: Driver, *names: str) -> None:
    """Subscribe to everything, in an order that is not the one of the answers."""
    for type_url in (TypeUrl.SECRET, TypeUrl.ROUTE, TypeUrl.LISTENER, TypeUrl.ENDPOINT, TypeUrl.CLUSTER):
        driver.subscribe(type_url, *(() if type_url.full_state else names))


def shorts(pushes: list[Push]) -> list[str]:
    """Return the short names of the types."""
    return [push.type_url.short for push in pushes]


def test_order_is_that_of_references(driver: Driver) -> None:
    """Whatever the order of the requests, answers come as CDS, EDS, LDS, RDS, SDS, one of each."""
    subscribe_all(driver, "a")
    assert shorts(driver.pushes(state(1, "a"))) == ["CDS", "EDS", "LDS", "RDS", "SDS"]


def test_types_that_were_not_asked_for_are_not_sent(driver: Driver) -> None:
    """Envoy drops a response for a type that it never requested, so none is sent."""
    driver.subscribe(TypeUrl.LISTENER)
    assert shorts(driver.pushes(state(1, "a"))) == ["LDS"]


def test_one_response_in_flight_but_for_clusters(driver: Driver) -> None:
    """Before an ACK only CDS is sent again, followed by nothing; the other types catch up with the newest state after their ACK."""
    subscribe_all(driver, "a")
    first = driver.pushes(state(1, "a"))
    assert shorts(driver.pushes(state(2, "a", mark="2"))) == ["CDS"]
    assert shorts(driver.pushes(state(3, "a", mark="3"))) == ["CDS"]
    driver.ack(first[3])
    pushes = driver.pushes(state(3, "a", mark="3"))
    assert [(push.type_url.short, push.revision) for push in pushes] == [("RDS", 3)]


def test_equal_state_is_silent(driver: Driver) -> None:
    """A new revision with equal content is not told, even if every object in it is another one."""
    subscribe_all(driver, "a", "b")
    driver.settle(state(1, "a", "b"))
    assert driver.pushes(state(2, "a", "b")) == []
    assert not driver.stream.in_flight


class Watched(dict[str, XdsResource]):
    """A shard that counts how often it is looked into."""

    looked = 0

    def get(self, *args: Any) -> Any:
        """Count."""
        self.looked += 1
        return super().get(*args)

    def items(self) -> Any:
        """Count."""
        self.looked += 1
        return super().items()


def test_only_what_is_not_shared_is_looked_into(driver: Driver) -> None:
    """An unchanged mapping, and the unchanged part of a changed one, cost nothing: their resources are not compared."""
    clusters = ShardedMap.of({name: sample(TypeUrl.CLUSTER, name) for name in ("a", "b")})
    watched = {shard_of(name): Watched(clusters.shards[shard_of(name)]) for name in ("a", "b")}
    clusters = ShardedMap(tuple(watched.get(number, shard) for number, shard in enumerate(clusters.shards)))
    driver.subscribe(TypeUrl.CLUSTER)
    driver.settle(ViewState(1, {TypeUrl.CLUSTER: clusters}))
    for shard in watched.values():
        shard.looked = 0
    assert not driver.stream.has_next(ViewState(2, {TypeUrl.CLUSTER: clusters}))
    assert driver.stream.has_next(ViewState(3, {TypeUrl.CLUSTER: clusters.with_items({"b": sample(TypeUrl.CLUSTER, "b", "2")})}))
    assert watched[shard_of("a")].looked == 0


def test_updated_cluster_has_its_endpoints_follow_without_waiting(driver: Driver) -> None:
    """The unchanged endpoints of an updated cluster are sent right behind it, before the ACK of CDS."""
    subscribe_all(driver, "a", "b")
    driver.settle(state(1, "a", "b"))
    changed = [sample(t, name, "2" if (t, name) == (TypeUrl.CLUSTER, "a") else "1") for t in TypeUrl for name in "ab"]
    pushes = driver.pushes(view_state(2, changed))
    assert [(push.type_url.short, push.changed) for push in pushes] == [("CDS", ("a",)), ("EDS", ("a",))]


def test_following_endpoints_wait_for_the_response_in_flight(driver: Driver) -> None:
    """If an EDS response is in flight when a cluster is updated, the endpoints are sent once more after its ACK."""
    driver.subscribe(TypeUrl.CLUSTER)
    driver.subscribe(TypeUrl.ENDPOINT, "a")
    _, endpoints = driver.pushes(state(1, "a"))
    updated = view_state(2, [sample(TypeUrl.CLUSTER, "a", "2"), sample(TypeUrl.ENDPOINT, "a")])
    assert shorts(driver.pushes(updated)) == ["CDS"]
    driver.ack(endpoints)
    assert [(push.type_url.short, push.changed) for push in driver.pushes(updated)] == [("EDS", ("a",))]


def led_to(revision: int, cluster: str, *clusters: str, listener: str = "1") -> ViewState:
    """Return a state with clusters that discover their endpoints, a listener, and a route configuration that leads to a cluster."""
    found = [sample(TypeUrl.CLUSTER, name, eds_name=name) for name in clusters]
    endpoints = [sample(TypeUrl.ENDPOINT, name) for name in clusters]
    return view_state(revision, [*found, *endpoints, sample(TypeUrl.LISTENER, "a", listener), sample(TypeUrl.ROUTE, "a", cluster)])


def test_what_leads_to_a_new_cluster_waits_for_its_endpoints(driver: Driver) -> None:
    """Envoy cannot use a new cluster before it has its endpoints, which it asks for when it has the cluster: a request would be lost."""
    subscribe_all(driver, "a")
    driver.settle(led_to(1, "old", "a", "old"))
    new = led_to(2, "new", "a", "old", "new", listener="2")
    pushes = driver.pushes(new)
    assert shorts(pushes) == ["CDS", "LDS"]  # the listener does not lead there
    driver.subscribe(TypeUrl.ENDPOINT, "new")
    assert shorts(driver.pushes(new)) == ["EDS", "RDS"]


def test_a_client_that_has_answered_new_clusters_does_not_wait(driver: Driver) -> None:
    """One that never asks for endpoints must not go without routes; a cluster without any is ready by then."""
    subscribe_all(driver, "a")
    driver.settle(led_to(1, "old", "a", "old"))
    new = led_to(2, "new", "a", "old", "new")
    (clusters,) = driver.pushes(new)
    driver.ack(clusters)
    assert shorts(driver.pushes(new)) == ["RDS"]


def test_endpoints_that_a_cluster_of_that_name_had_before_do_not_count(driver: Driver) -> None:
    """A cluster that was gone and comes back needs its endpoints again, which come before what leads there."""
    subscribe_all(driver, "a", "new")
    driver.settle(led_to(1, "new", "a", "new"))
    gone = led_to(2, "old", "a", "old")
    driver.settle(gone)
    driver.settle(gone)
    assert shorts(driver.pushes(led_to(3, "new", "a", "new"))) == ["CDS", "EDS", "RDS"]


def test_what_is_held_back_stays_as_it_was(driver: Driver) -> None:
    """A listener that leads to a new cluster keeps its old version, in a complete list too; a new one is not in it yet."""
    for type_url in (TypeUrl.LISTENER, TypeUrl.CLUSTER):
        driver.subscribe(type_url)
    driver.settle(view_state(1, [sample(TypeUrl.CLUSTER, "old"), sample(TypeUrl.LISTENER, "x", "old"), sample(TypeUrl.LISTENER, "z", "1")]))
    after = view_state(
        2,
        [
            sample(TypeUrl.CLUSTER, "new"),
            *(sample(TypeUrl.LISTENER, name, mark) for name, mark in (("x", "new"), ("y", "new"), ("z", "2"))),
        ],
    )
    clusters, listeners = driver.pushes(after)
    assert listeners.changed == ("z",)
    if not driver.delta:
        listed = discovery_pb2.DiscoveryResponse.FromString(listeners.body).resources
        found = [listener_pb2.Listener.FromString(each.value) for each in listed]
        assert [(each.name, each.stat_prefix) for each in found] == [("x", "old"), ("z", "2")]
    driver.ack(listeners)
    assert driver.pushes(after) == []
    driver.ack(clusters)
    (rest,) = driver.pushes(after)
    assert (rest.type_url, rest.changed) == (TypeUrl.LISTENER, ("x", "y"))


def test_a_removal_comes_with_what_replaces_it(driver: Driver) -> None:
    """A new listener for the address of a removed one waits for a cluster: the old one serves until then."""
    for type_url in (TypeUrl.LISTENER, TypeUrl.CLUSTER):
        driver.subscribe(type_url)
    driver.settle(view_state(1, [sample(TypeUrl.LISTENER, "before", "1")]))
    after = view_state(2, [sample(TypeUrl.CLUSTER, "new"), sample(TypeUrl.LISTENER, "after", "new")])
    (clusters,) = driver.pushes(after)
    driver.ack(clusters)
    (listeners,) = driver.pushes(after)
    assert (listeners.changed, listeners.removed) == (("after",), ("before",))


@pytest.mark.parametrize("whole", [10, 2])
def test_a_cluster_that_does_not_get_ready_is_not_waited_for_for_ever(driver: Driver, whole: float) -> None:
    """After the time it is told whoever drives the stream, once, and what leads there is sent."""
    driver.timing = Timing(warming=10, whole=whole)
    driver.restart()
    subscribe_all(driver, "a")
    driver.settle(led_to(1, "old", "a", "old"))
    new = led_to(2, "new", "a", "old", "new")
    driver.pushes(new)
    assert driver.stream.wake_at == driver.now + whole
    driver.now += whole - 0.1
    assert driver.pushes(new) == []
    driver.now += 0.2
    assert shorts(driver.pushes(new)) == ["RDS"]
    driver.now += 10 - whole
    driver.pushes(led_to(3, "new", "a", "old", "new", listener="2"))
    assert driver.stream.overdue == [Overdue(TypeUrl.CLUSTER, "new", 10)]
    assert driver.stream.wake_at is None


def test_many_new_clusters_are_waited_for_together(driver: Driver) -> None:
    """A client that is told everything answers soon: nothing is looked for by name, and everything waits for the answer."""
    subscribe_all(driver, "a")
    driver.settle(led_to(1, "old", "a", "old"))
    new = led_to(2, "old", "a", "old", *(f"c{number}" for number in range(FEW + 1)), listener="2")
    (clusters,) = driver.pushes(new)
    driver.ack(clusters)
    assert shorts(driver.pushes(new)) == ["LDS"]


def test_removed_clusters_stay_for_the_drain_time(driver: Driver) -> None:
    """Requests that are under way may finish: the time begins when nothing leads there any more, and anew with each change."""
    driver.timing = Timing(drain=5)
    driver.restart()
    subscribe_all(driver, "a")
    driver.settle(led_to(1, "old", "a", "old"))
    after = led_to(2, "a", "a")
    driver.settle(after)
    assert driver.stream.wake_at == driver.now + 5
    driver.now += 4
    again = led_to(3, "a", "a", listener="2")
    driver.settle(again)
    driver.now += 4
    assert driver.pushes(again) == []
    driver.now += 1
    assert next((push.type_url.short, push.removed) for push in driver.pushes(again) if push.removed) == ("CDS", ("old",))


def test_endpoints_that_are_not_wanted_do_not_follow(driver: Driver) -> None:
    """A new cluster whose endpoints were not subscribed is not followed: the client asks for them itself."""
    driver.subscribe(TypeUrl.CLUSTER)
    driver.subscribe(TypeUrl.ENDPOINT, "a")
    driver.settle(state(1, "a"))
    assert shorts(driver.pushes(state(2, "a", "new"))) == ["CDS"]


@pytest.mark.parametrize("user", [TypeUrl.LISTENER, TypeUrl.ROUTE], ids=lambda t: t.short)
def test_cluster_is_removed_after_its_users_are_acked(driver: Driver, user: TypeUrl) -> None:
    """A removed cluster stays until the listener and route responses of the change are ACKed, and goes then."""
    subscribe_all(driver, "a")
    before = [sample(TypeUrl.CLUSTER, "old"), sample(user, "a", "1")]
    after = view_state(2, [sample(TypeUrl.CLUSTER, "new"), sample(user, "a", "2")])
    driver.settle(view_state(1, before))
    pushes = driver.pushes(after)
    assert [(push.type_url.short, push.removed) for push in pushes] == [("CDS", ()), (user.short, ())]
    assert driver.pushes(after) == []
    driver.ack(pushes[1])
    assert [(push.type_url.short, push.removed) for push in driver.pushes(after)] == [("CDS", ("old",))]


def test_removal_without_other_change_is_immediate(driver: Driver) -> None:
    """A cluster that nobody uses goes in one response with what else changed in CDS."""
    subscribe_all(driver, "a", "b")
    driver.settle(state(1, "a", "b"))
    kept = [sample(t, "a") for t in TypeUrl] + [sample(t, "b") for t in TypeUrl if t is not TypeUrl.CLUSTER]
    pushes = driver.pushes(view_state(2, kept))
    assert [(push.type_url.short, push.changed, push.removed) for push in pushes] == [("CDS", (), ("b",))]


def test_listener_is_removed_together_with_its_successor(driver: Driver) -> None:
    """A listener under a new name may have the address of the old one, so both travel in one response."""
    driver.subscribe(TypeUrl.LISTENER)
    driver.settle(view_state(1, [sample(TypeUrl.LISTENER, "old")]))
    pushes = driver.pushes(view_state(2, [sample(TypeUrl.LISTENER, "new")]))
    assert [(push.changed, push.removed) for push in pushes] == [(("new",), ("old",))]


def test_first_request_needs_a_node(driver: Driver) -> None:
    """Without node.id the stream is refused; with it, later requests need none."""
    request = discovery_pb2.DeltaDiscoveryRequest if driver.delta else discovery_pb2.DiscoveryRequest
    with pytest.raises(ProtocolViolation, match=r"node\.id") as caught:
        driver.stream.on_request(request(type_url=TypeUrl.CLUSTER))
    assert caught.value.hint
    driver.stream.on_request(request(type_url=TypeUrl.CLUSTER, node=NODE))
    driver.stream.on_request(request(type_url=TypeUrl.LISTENER))
    assert driver.stream.node.id == "test-id"


def test_type_is_required_and_may_be_unknown(driver: Driver) -> None:
    """A request without a type violates the protocol; one for a type that is not served is understood and not answered."""
    request = discovery_pb2.DeltaDiscoveryRequest if driver.delta else discovery_pb2.DiscoveryRequest
    outcome = driver.stream.on_request(request(type_url="type.googleapis.com/other", node=NODE))
    assert outcome.type_url is None
    assert driver.pushes(state(1, "a")) == []
    with pytest.raises(ProtocolViolation, match="type_url"):
        driver.stream.on_request(request())


def test_ack_and_nack_are_told(driver: Driver) -> None:
    """The outcome of an ACK and of a NACK has revision, versions and reason; a second answer to the same nonce has neither."""
    driver.subscribe(TypeUrl.ROUTE, "a", "b")
    (push,) = driver.pushes(state(5, "a", "b"))
    ack = driver.ack(push).ack
    version = sample(TypeUrl.ROUTE, "a").version
    assert (ack.type_url, ack.revision, ack.changes) == (TypeUrl.ROUTE, 5, {"a": version, "b": sample(TypeUrl.ROUTE, "b").version})
    (push,) = driver.pushes(state(6, "a", "b", mark="2"))
    request = discovery_pb2.DeltaDiscoveryRequest if driver.delta else discovery_pb2.DiscoveryRequest
    fields: dict[str, Any] = {} if driver.delta else {"resource_names": ["a", "b"]}
    rejection = request(type_url=TypeUrl.ROUTE, response_nonce=push.nonce, error_detail={"message": "a, b: no"}, **fields)
    outcome = driver.stream.on_request(rejection)
    assert (outcome.ack, outcome.nack.message, outcome.nack.revision, outcome.nack.nonce) == (None, "a, b: no", 6, push.nonce)
    assert sorted(outcome.nack.changes) == ["a", "b"]
    again = driver.stream.on_request(rejection)
    assert (again.ack, again.nack) == (None, None)
    assert driver.pushes(state(7, "a", "b", mark="2")) == []
