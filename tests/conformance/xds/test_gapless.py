"""In no state of any interleaving does a client have a route to a cluster that it cannot use: what was sent, at every step.

The clients behave as Envoy does: they ask for the endpoints of the clusters and for the routes of the listeners that they were told,
withhold the ACK of clusters while these warm, and come back with what they hold. Nobody here is asked nicely: each step is one message.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import hypothesis.strategies as st
import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.discovery.v3 import discovery_pb2
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from meshctl_operator.xds.delta import DeltaStream
from meshctl_operator.xds.readiness import Timing
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import mark_of, sample, sample_message

pytestmark = pytest.mark.property

CLUSTERS = ("a", "b", "c")
LISTENERS = ("x", "y")
"""Each has the routes of its own name."""

CHOICE = st.dictionaries(st.sampled_from(CLUSTERS), st.sampled_from(["1", "2"]))
NODE = base_pb2.Node(id="test-id")


class Envoy:
    """A client that behaves as Envoy does, with the queues to and from its server."""

    def __init__(self, sharing: Sharing, *, delta: bool) -> None:
        self.sharing = sharing
        self.delta = delta
        self.held: dict[TypeUrl, dict[str, tuple[str, str]]] = {type_url: {} for type_url in TypeUrl}  # name: version, mark
        self.usable: set[str] = set()  # clusters that have had their endpoints since they were told
        self.warming: set[str] = set()
        self.versions: dict[TypeUrl, str] = {}
        self.initialised = False  # its first clusters are ready: Envoy asks for no listener before
        self.open_stream()

    def open_stream(self) -> None:
        """Begin a stream with what is held; what was on its way is lost."""
        self.stream: Any = DeltaStream(self.sharing) if self.delta else SotwStream(self.sharing)
        self.requests: deque[Any] = deque()
        self.responses: deque[bytes] = deque()
        self.withheld: list[str] = []
        self.nonces: dict[TypeUrl, str] = {}
        self.wanted: dict[TypeUrl, set[str]] = {}
        order = [TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.LISTENER, TypeUrl.ROUTE]
        if self.warming:
            order = [TypeUrl.ENDPOINT, TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.ROUTE]
        for type_url in order if self.initialised else order[:2]:
            self.ask(type_url)

    def needs(self, type_url: TypeUrl) -> set[str]:
        """Return the names that are asked for one by one."""
        match type_url:
            case TypeUrl.ENDPOINT:
                return set(self.held[TypeUrl.CLUSTER])
            case TypeUrl.ROUTE:
                return set(self.held[TypeUrl.LISTENER])
            case _:
                return set()

    def ask(self, type_url: TypeUrl, nonce: str = "") -> None:
        """Send a request: the first one, a change of what is wanted, or an ACK."""
        needs, first = self.needs(type_url), type_url not in self.wanted
        before = self.wanted.setdefault(type_url, set())
        if first and not needs and not type_url.full_state:
            del self.wanted[type_url]  # nothing to ask for yet
            return
        if self.delta:
            request: Any = discovery_pb2.DeltaDiscoveryRequest(
                type_url=type_url,
                resource_names_subscribe=sorted(needs - before),
                resource_names_unsubscribe=sorted(before - needs),
                initial_resource_versions={name: version for name, (version, _) in self.held[type_url].items()} if first else {},
                response_nonce=nonce,
            )
        else:
            self.nonces[type_url] = nonce or self.nonces.get(type_url, "")
            request = discovery_pb2.DiscoveryRequest(
                type_url=type_url,
                resource_names=sorted(needs),
                response_nonce=self.nonces[type_url],
                version_info=self.versions.get(type_url, ""),
            )
        self.wanted[type_url] = needs
        request.node.CopyFrom(NODE)
        self.requests.append(request)

    def server_reads(self) -> bool:
        """Let the server understand one request; says whether there was one."""
        if not self.requests:
            return False
        self.stream.on_request(self.requests.popleft())
        return True

    def server_writes(self, state: ViewState) -> bool:
        """Let the server write one response; says whether it had one."""
        body = self.stream.next_response(state)
        if body is not None:
            self.responses.append(body)
        return body is not None

    def reads(self) -> bool:
        """Take one response; says whether there was one."""
        if not self.responses:
            return False
        type_url, nonce, told, removed = self.understood(self.responses.popleft())
        held = self.held[type_url]
        before = dict(held)
        for name in removed:
            held.pop(name, None)
        held.update(told)
        match type_url:
            case TypeUrl.CLUSTER:
                self.take_clusters(before)
                self.withheld.append(nonce)
                self.ask(TypeUrl.ENDPOINT)
                if not self.delta:  # an updated cluster asks for its endpoints again
                    self.ask(TypeUrl.ENDPOINT)
            case TypeUrl.ENDPOINT:
                self.usable |= told.keys() & self.held[TypeUrl.CLUSTER].keys()
                self.warming -= told.keys()
                self.ask(type_url, nonce)
            case TypeUrl.LISTENER:
                self.held[TypeUrl.ROUTE] = {name: value for name, value in self.held[TypeUrl.ROUTE].items() if name in held}
                self.ask(TypeUrl.ROUTE)
                self.ask(type_url, nonce)
            case _:
                self.held[type_url] = {name: value for name, value in held.items() if name in self.needs(type_url)}
                self.ask(type_url, nonce)
        if not self.warming:
            for withheld in self.withheld:
                self.ask(TypeUrl.CLUSTER, withheld)
            self.withheld.clear()
            if not self.initialised:
                self.initialised = True
                self.ask(TypeUrl.LISTENER)
        return True

    def take_clusters(self, before: dict[str, tuple[str, str]]) -> None:
        """Note which clusters are new, changed or gone."""
        held = self.held[TypeUrl.CLUSTER]
        self.warming &= held.keys()
        self.usable &= held.keys()
        self.warming |= {name for name, value in held.items() if before.get(name) != value}
        self.held[TypeUrl.ENDPOINT] = {name: value for name, value in self.held[TypeUrl.ENDPOINT].items() if name in held}

    def understood(self, body: bytes) -> tuple[TypeUrl, str, dict[str, tuple[str, str]], set[str]]:
        """Return type, nonce, what a response tells, and what it takes away."""
        if self.delta:
            delta = discovery_pb2.DeltaDiscoveryResponse.FromString(body)
            type_url = TypeUrl(delta.type_url)
            told = {entry.name: (entry.version, marked(type_url, entry.resource.value)[1]) for entry in delta.resources}
            return type_url, delta.nonce, told, set(delta.removed_resources)
        response = discovery_pb2.DiscoveryResponse.FromString(body)
        type_url = TypeUrl(response.type_url)
        self.versions[type_url] = response.version_info
        told = {}
        for entry in response.resources:
            name, mark = marked(type_url, entry.value)
            told[name] = (mark, mark)
        return type_url, response.nonce, told, self.held[type_url].keys() - told.keys() if type_url.full_state else set()


def marked(type_url: TypeUrl, body: bytes) -> tuple[str, str]:
    """Return name and mark of a resource."""
    message = type(sample_message(type_url, "", "")).FromString(body)
    return message.cluster_name if type_url is TypeUrl.ENDPOINT else message.name, mark_of(message)


class Gapless(RuleBasedStateMachine):
    """Envoys of both variants and one state, moved in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        sharing = Sharing(Timing(drain=1.0, warming=1000.0), lambda: self.now)
        self.state = view_state(1, ())
        self.envoys = (Envoy(sharing, delta=True), Envoy(sharing, delta=False))

    @rule(clusters=CHOICE, leads=st.lists(st.integers(0, 5), min_size=2, max_size=2), mark=st.sampled_from(["1", "2"]))
    def change(self, clusters: dict[str, str], leads: list[int], mark: str) -> None:
        """Have other clusters, endpoints, listeners and routes; no route leads to what does not exist."""
        resources = [sample(TypeUrl.CLUSTER, f"c-{name}", version, eds_name=f"c-{name}") for name, version in clusters.items()]
        resources += [sample(TypeUrl.ENDPOINT, f"c-{name}", mark) for name in clusters]
        names = sorted(clusters)
        for listener, lead in zip(LISTENERS, leads, strict=True):
            if names and lead:
                resources += [sample(TypeUrl.LISTENER, listener, mark), sample(TypeUrl.ROUTE, listener, f"c-{names[lead % len(names)]}")]
        self.state = view_state(self.state.revision + 1, resources)

    @rule(index=st.integers(0, 1), moves=st.lists(st.sampled_from(["read", "write", "take"]), min_size=1, max_size=12))
    def move(self, index: int, moves: list[str]) -> None:
        """Some requests arrive, some responses are written, and some of these arrive."""
        envoy = self.envoys[index]
        for move in moves:
            match move:
                case "read":
                    envoy.server_reads()
                case "write":
                    envoy.server_writes(self.state)
                case _:
                    envoy.reads()
                    self.every_route_leads_to_a_cluster_that_can_be_used()

    @rule()
    def settle(self) -> None:
        """When everything has arrived and had its time, the Envoys hold the state, and everything is answered."""
        self._exchange()
        self.now += 1.0
        self._exchange()
        for envoy in self.envoys:
            for type_url in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.LISTENER, TypeUrl.ROUTE):
                held = {name: mark for name, (_, mark) in envoy.held[type_url].items()}
                assert held == {name: marked(type_url, resource.body)[1] for name, resource in self.state.of(type_url).items()}
            assert not envoy.stream.in_flight

    def _exchange(self) -> None:
        for _ in range(1000):
            moves = [move for envoy in self.envoys for move in (envoy.server_reads(), envoy.server_writes(self.state), envoy.reads())]
            if not any(moves):
                return
            self.every_route_leads_to_a_cluster_that_can_be_used()
        pytest.fail("client and server go on forever")

    @rule()
    def reconnect(self) -> None:
        """The streams break, and the Envoys come back with what they hold."""
        for envoy in self.envoys:
            envoy.stream.closed()
            envoy.open_stream()

    @invariant()
    def every_route_leads_to_a_cluster_that_can_be_used(self) -> None:
        """The closure property: no request of any moment is lost."""
        for envoy in self.envoys:
            for route, (_, cluster) in envoy.held[TypeUrl.ROUTE].items():
                assert cluster in envoy.usable, (route, cluster, "delta" if envoy.delta else "sotw")

    def teardown(self) -> None:
        """Settle at the end of each run."""
        self.settle()


TestGapless = Gapless.TestCase
TestGapless.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def test_a_list_that_says_the_same_again_stays_known() -> None:
    """An Envoy that never got it comes back with the version of the first one, which has what has to stay."""
    world = Gapless()
    world.change({"a": "1"}, [0, 1], "1")
    world.settle()
    world.reconnect()
    world.change({}, [0, 0], "1")
    world.move(1, ["read", "write"])
    world.reconnect()
    world.settle()


def test_new_clusters_are_waited_for_also_after_an_empty_list() -> None:
    """The Envoy has come back with clusters that it has to give up: it has routes, and has not asked for them yet."""
    world = Gapless()
    world.change({"a": "1"}, [3, 5], "1")
    world.settle()
    world.change({}, [5, 4], "1")
    world.reconnect()
    world.move(1, ["read", "write"])
    world.change({"b": "2", "c": "1"}, [5, 4], "2")
    world.settle()
