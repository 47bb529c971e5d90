"""A SotW client, two Delta clients and the view agree after any interleaving of requests, responses, changes and reconnects.

The streams share what streams of one server share. Client and server are plain objects with a queue of bytes in each direction, so that hypothesis decides who moves next.
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
from meshctl_operator.xds.resources import TypeUrl
from meshctl_operator.xds.sharing import Sharing
from meshctl_operator.xds.sotw import SotwStream
from meshctl_operator.xds.state import ViewState, view_state
from tests.support.xds_rig import mark_of, sample, sample_message

pytestmark = pytest.mark.property

NAMES = st.sampled_from(["a", "b", "c"])
TYPES = st.sampled_from([TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.ROUTE])
NODE = base_pb2.Node(id="test-id")


class Client:
    """What both variants have in common: what is wanted and held, and the queues to and from the server."""

    stream: Any

    def __init__(self, sharing: Sharing) -> None:
        self.sharing = sharing
        self.names: dict[TypeUrl, set[str]] = {}
        self.wildcard: set[TypeUrl] = set()
        self.held: dict[TypeUrl, dict[str, tuple[str, str]]] = {type_url: {} for type_url in TypeUrl}
        self.requests: deque[Any] = deque()
        self.responses: deque[bytes] = deque()
        self.open_stream()

    def open_stream(self) -> None:
        """Begin a stream: what was on its way is lost, what is wanted is asked for again."""
        self.requests.clear()
        self.responses.clear()
        self.first = True
        self.names = {  # the first request for a type must not be empty: that would mean everything
            type_url: names for type_url, names in self.names.items() if names or type_url in self.wildcard
        }

    def wants(self, type_url: TypeUrl, name: str) -> bool:
        """Tell whether a name is wanted."""
        return type_url in self.wildcard or name in self.names.get(type_url, ())

    def forget_unwanted(self, type_url: TypeUrl) -> None:
        """Drop what is not wanted any more."""
        self.held[type_url] = {name: value for name, value in self.held[type_url].items() if self.wants(type_url, name)}

    def send(self, request: Any) -> None:
        """Put a request on its way."""
        if self.first:
            request.node.CopyFrom(NODE)
            self.first = False
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
        if body is None:
            return False
        self.responses.append(body)
        return True

    def marks(self, type_url: TypeUrl) -> dict[str, str]:
        """Return the marks of what is held."""
        return {name: mark for name, (_, mark) in self.held[type_url].items()}


class DeltaClient(Client):
    """A client of the Delta variant, whose clusters warm until their endpoints arrive after them."""

    def __init__(self, sharing: Sharing) -> None:
        self.warming: set[str] = set()
        super().__init__(sharing)

    def open_stream(self) -> None:
        """Begin a stream with the versions that are held: clusters first, or last if some are warming, as Envoy does."""
        super().open_stream()
        self.stream = DeltaStream(self.sharing)
        order = sorted(self.names, key=lambda type_url: (type_url is TypeUrl.CLUSTER) is bool(self.warming))
        for type_url in order:
            names = self.names[type_url]
            initial = {name: version for name, (version, _) in self.held[type_url].items()}
            wildcard = ["*"] if type_url in self.wildcard else []
            self._request(type_url, resource_names_subscribe=[*wildcard, *sorted(names)], initial_resource_versions=initial)

    def subscribe(self, type_url: TypeUrl, name: str) -> None:
        """Want a name, or everything."""
        names = self.names.setdefault(type_url, set())
        if name == "*":
            self.wildcard.add(type_url)
        else:
            names.add(name)
        self._request(type_url, resource_names_subscribe=[name])

    def unsubscribe(self, type_url: TypeUrl, name: str) -> None:
        """Do not want a name, or everything."""
        if type_url not in self.names:
            return
        self.names[type_url].discard(name)
        self.wildcard.difference_update({type_url} if name == "*" else ())
        self.held[type_url].pop(name, None)  # also under the wildcard: the server tells it again
        self.forget_unwanted(type_url)
        self._request(type_url, resource_names_unsubscribe=[name])

    def reads(self) -> bool:
        """Take one response and ACK it; says whether there was one."""
        if not self.responses:
            return False
        response = discovery_pb2.DeltaDiscoveryResponse.FromString(self.responses.popleft())
        type_url = TypeUrl(response.type_url)
        for name in response.removed_resources:
            self.held[type_url].pop(name, None)
            self.warming.discard(name)
        for entry in response.resources:
            if self.wants(type_url, entry.name):
                self._warm(type_url, entry)
                self.held[type_url][entry.name] = entry.version, _mark(type_url, entry.resource.value)
        self._request(type_url, response_nonce=response.nonce)
        return True

    def _warm(self, type_url: TypeUrl, entry: discovery_pb2.Resource) -> None:
        """Note that a changed cluster waits for its endpoints, and that these have come."""
        if type_url is TypeUrl.ENDPOINT:
            self.warming.discard(entry.name)
        elif type_url is TypeUrl.CLUSTER and self.held[type_url].get(entry.name, ("", ""))[0] != entry.version:
            self.warming.add(entry.name)

    def _request(self, type_url: TypeUrl, **fields: Any) -> None:
        self.send(discovery_pb2.DeltaDiscoveryRequest(type_url=type_url, **fields))


class SotwClient(Client):
    """A client of the SotW variant."""

    def open_stream(self) -> None:
        """Begin a stream: all lists again, without a nonce."""
        super().open_stream()
        self.stream = SotwStream(self.sharing)
        self.nonces: dict[TypeUrl, str] = {}
        for type_url in self.names:
            self._request(type_url)

    def subscribe(self, type_url: TypeUrl, name: str) -> None:
        """Want a name, or everything."""
        names = self.names.setdefault(type_url, set())
        if name == "*":
            self.wildcard.add(type_url)
        else:
            names.add(name)
        self._request(type_url)

    def unsubscribe(self, type_url: TypeUrl, name: str) -> None:
        """Do not want a name, or everything."""
        if type_url not in self.names:
            return
        self.names[type_url].discard(name)
        self.wildcard.difference_update({type_url} if name == "*" else ())
        self.forget_unwanted(type_url)
        self._request(type_url)

    def reads(self) -> bool:
        """Take one response and ACK it; says whether there was one."""
        if not self.responses:
            return False
        response = discovery_pb2.DiscoveryResponse.FromString(self.responses.popleft())
        type_url = TypeUrl(response.type_url)
        if type_url.full_state:
            self.held[type_url].clear()
        for entry in response.resources:
            message = type(sample_message(type_url, "", "")).FromString(entry.value)
            name = message.cluster_name if type_url is TypeUrl.ENDPOINT else message.name
            if self.wants(type_url, name):
                self.held[type_url][name] = "", mark_of(message)
        self.nonces[type_url] = response.nonce
        self._request(type_url)
        return True

    def _request(self, type_url: TypeUrl) -> None:
        names = [*(["*"] if type_url in self.wildcard else []), *sorted(self.names[type_url])]
        nonce = self.nonces.get(type_url, "")
        self.send(discovery_pb2.DiscoveryRequest(type_url=type_url, resource_names=names, response_nonce=nonce))


def _mark(type_url: TypeUrl, body: bytes) -> str:
    return mark_of(type(sample_message(type_url, "", "")).FromString(body))


class Agreement(RuleBasedStateMachine):
    """Three clients and one state, moved in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.content: dict[tuple[TypeUrl, str], str] = {}
        self.state = view_state(1, ())
        sharing = Sharing()
        self.clients: tuple[DeltaClient | SotwClient, ...] = (DeltaClient(sharing), SotwClient(sharing), DeltaClient(sharing))

    @rule(type_url=TYPES, name=NAMES, mark=st.sampled_from(["1", "2", None]))
    def change(self, type_url: TypeUrl, name: str, mark: str | None) -> None:
        """Put, replace or remove a resource."""
        if mark is None:
            self.content.pop((type_url, name), None)
        else:
            self.content[type_url, name] = mark
        self._serve()

    @rule(type_url=TYPES, name=NAMES | st.just("*"))
    def subscribe(self, type_url: TypeUrl, name: str) -> None:
        """All clients want a name, or everything."""
        for client in self.clients:
            client.subscribe(type_url, name)

    @rule(type_url=TYPES, name=NAMES | st.just("*"))
    def unsubscribe(self, type_url: TypeUrl, name: str) -> None:
        """No client wants a name, or everything, any more."""
        for client in self.clients:
            client.unsubscribe(type_url, name)

    @rule(index=st.integers(0, 2))
    def server_reads(self, index: int) -> None:
        """One request arrives."""
        self.clients[index].server_reads()

    @rule(index=st.integers(0, 2))
    def server_writes(self, index: int) -> None:
        """One response is written."""
        self.clients[index].server_writes(self.state)

    @rule(index=st.integers(0, 2))
    def client_reads(self, index: int) -> None:
        """One response arrives and is ACKed."""
        self.clients[index].reads()

    @rule(index=st.integers(0, 2))
    def reconnect(self, index: int) -> None:
        """The stream breaks, and the client comes back."""
        self.clients[index].open_stream()

    @rule()
    def settle(self) -> None:
        """When everything has arrived, clients and view agree, no cluster waits for endpoints, and the same content in a new revision is not told."""
        self._settle()
        for type_url in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.ROUTE):
            for client in self.clients:
                assert self._comparable(client, type_url) == self._expected(client, type_url)
        for client in self.clients:
            assert not self._waiting(client)
        self._serve()
        assert not any(client.server_writes(self.state) for client in self.clients)

    @invariant()
    def one_response_at_a_time(self) -> None:
        """Of every type but CDS at most one response is on its way."""
        for client in self.clients:
            types = [_type_of(client, body) for body in client.responses]
            assert all(types.count(type_url) <= 1 for type_url in set(types) - {TypeUrl.CLUSTER})

    def teardown(self) -> None:
        """Settle at the end of each run."""
        self.settle()

    def _serve(self) -> None:
        resources = [sample(type_url, name, mark) for (type_url, name), mark in self.content.items()]
        self.state = view_state(self.state.revision + 1, resources)

    def _settle(self) -> None:
        for _ in range(1000):
            moves = [move for client in self.clients for move in (client.server_reads(), client.server_writes(self.state), client.reads())]
            if not any(moves):
                return
        pytest.fail("client and server go on forever")

    def _waiting(self, client: Client) -> set[str]:
        """Return the clusters that wait for endpoints which exist and are wanted."""
        if not isinstance(client, DeltaClient):
            return set()
        endpoints = {name for type_url, name in self.content if type_url is TypeUrl.ENDPOINT}
        return {name for name in client.warming & endpoints if client.wants(TypeUrl.ENDPOINT, name) and client.wants(TypeUrl.CLUSTER, name)}

    def _expected(self, client: Client, type_url: TypeUrl) -> dict[str, str]:
        return {name: mark for (found, name), mark in self.content.items() if found is type_url and client.wants(type_url, name)}

    def _comparable(self, client: Client, type_url: TypeUrl) -> dict[str, str]:
        """Return what a client holds; without what SotW cannot take back from a client: names of EDS and RDS that vanished."""
        held = client.marks(type_url)
        if isinstance(client, SotwClient) and not type_url.full_state:
            return {name: mark for name, mark in held.items() if (type_url, name) in self.content}
        return held


def _type_of(client: Client, body: bytes) -> str:
    message = discovery_pb2.DeltaDiscoveryResponse if isinstance(client, DeltaClient) else discovery_pb2.DiscoveryResponse
    return str(message.FromString(body).type_url)


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
