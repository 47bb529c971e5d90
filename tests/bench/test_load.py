"""The simulated Envoys speak the protocol as it is written, so that what they measure counts."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Iterable

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2

from meshctl_operator.xds.resources import TypeUrl
from tests.support.load.control import LoadGenerator
from tests.support.load.envoys import SimulatedEnvoy, sidecar_node
from tests.support.load.frames import ConnectionEnded, GrpcCall, frame
from tests.support.load.tally import Event, Tally, spread, storm_address
from tests.support.load.wire import TYPE_URLS, Kind, Reader, WireError, fields
from tests.support.xds_rig import sample, xds_rig

DATA, SETTINGS, PING, WINDOW_UPDATE = 0, 4, 6, 8


def response(kind: Kind, nonce: str, messages: Iterable[tuple[str, object]], removed: Iterable[str] = ()) -> bytes:
    """Return a response of named protobuf messages, each with version ``v-<name>``."""
    out = discovery_pb2.DeltaDiscoveryResponse(type_url=TYPE_URLS[kind], nonce=nonce, removed_resources=list(removed))
    for name, message in messages:
        packed = any_pb2.Any()
        packed.Pack(message)  # type: ignore[arg-type]  # protobuf messages have no types here
        out.resources.add(name=name, version=f"v-{name}", resource=packed)
    body: bytes = out.SerializeToString(deterministic=True)
    return body


def asked(envoy: SimulatedEnvoy, message: bytes) -> list[discovery_pb2.DeltaDiscoveryRequest]:
    """Return what a client answers to a response."""
    return [discovery_pb2.DeltaDiscoveryRequest.FromString(answer) for answer in envoy.answer(Reader().read(message))]


def eds_cluster(name: str, service: str = "") -> cluster_pb2.Cluster:
    """Return a cluster that discovers its endpoints."""
    cluster = cluster_pb2.Cluster(name=name, type=cluster_pb2.Cluster.EDS)
    cluster.eds_cluster_config.service_name = service
    return cluster


def http_listener(name: str, route: str) -> listener_pb2.Listener:
    """Return a listener that discovers a route configuration."""
    manager = http_connection_manager_pb2.HttpConnectionManager(stat_prefix="x")
    manager.rds.route_config_name = route
    listener = listener_pb2.Listener(name=name)
    listener.filter_chains.add().filters.add(name="http").typed_config.Pack(manager)
    return listener


def test_a_response_is_read_as_protobuf_reads_it() -> None:
    """Names, versions, removals, nonce and needs, also where a body was seen before with another nonce."""
    reader = Reader()
    clusters = [("a", eds_cluster("a", "service-a")), ("b", eds_cluster("b")), ("c", cluster_pb2.Cluster(name="c"))]
    first = reader.read(response(Kind.CDS, "1", clusters, ["gone"]))
    assert (first.kind, first.nonce, first.removed) == (Kind.CDS, b"1", ("gone",))
    assert first.body.versions == {"a": "v-a", "b": "v-b", "c": "v-c"}
    assert first.body.needs == {"a": ("service-a",), "b": ("b",), "c": ()}
    assert first.body.payload == sum(len(cluster.SerializeToString()) for _, cluster in clusters)
    assert reader.read(response(Kind.CDS, "2", clusters)).body is first.body
    listener = reader.read(response(Kind.LDS, "3", [("l", http_listener("l", "8080"))]))
    assert listener.body.needs == {"l": ("8080",)}
    apart = route_pb2.RouteConfiguration(name="8080")
    apart.vhds.SetInParent()
    assert reader.read(response(Kind.RDS, "4", [("8080", apart)])).body.virtual_hosts_apart == {"8080"}


def test_what_is_no_message_is_refused() -> None:
    """A length beyond the end, an end within a field, and a response without type."""
    for broken in (b"\x0a\x05ab", b"\x08\x80", b"\x0b"):
        with pytest.raises(WireError):
            list(fields(broken))
    with pytest.raises(WireError):
        Reader().read(b"")


def test_a_client_asks_as_envoy_does() -> None:
    """Clusters, their endpoints, listeners when each endpoint is there, routes, virtual hosts; new subscriptions come before the ACK."""
    envoy = SimulatedEnvoy(sidecar_node(1, "team-1"))
    (hello,) = map(discovery_pb2.DeltaDiscoveryRequest.FromString, envoy.hello())
    assert hello.type_url == TYPE_URLS[Kind.CDS]
    assert hello.node.id == "sidecar~10.100.0.1~load-1.team-1~team-1.svc.cluster.local"
    endpoints, ack = asked(envoy, response(Kind.CDS, "1", [("a", eds_cluster("a")), ("b", eds_cluster("b"))]))
    assert (endpoints.type_url, list(endpoints.resource_names_subscribe)) == (TYPE_URLS[Kind.EDS], ["a", "b"])
    assert (ack.type_url, ack.response_nonce, ack.HasField("error_detail")) == (TYPE_URLS[Kind.CDS], "1", False)
    assert [answer.type_url for answer in asked(envoy, response(Kind.EDS, "2", [("a", cluster_pb2.Cluster())]))] == [TYPE_URLS[Kind.EDS]]
    listeners, _ = asked(envoy, response(Kind.EDS, "3", [("b", cluster_pb2.Cluster())]))
    assert (listeners.type_url, list(listeners.resource_names_subscribe)) == (TYPE_URLS[Kind.LDS], [])
    routes, _ = asked(envoy, response(Kind.LDS, "4", [("l", http_listener("l", "8080"))]))
    assert list(routes.resource_names_subscribe) == ["8080"]
    assert not envoy.configured
    apart = route_pb2.RouteConfiguration(name="8080")
    apart.vhds.SetInParent()
    virtual_hosts, _ = asked(envoy, response(Kind.RDS, "5", [("8080", apart)]))
    assert (virtual_hosts.type_url, list(virtual_hosts.resource_names_subscribe)) == (TYPE_URLS[Kind.VHDS], [])
    asked(envoy, response(Kind.VHDS, "6", [("8080/a", cluster_pb2.Cluster())]))
    assert envoy.configured


def test_a_client_follows_changes_and_says_what_it_holds() -> None:
    """A new cluster is followed, a removed one left; a new stream presents names and versions."""
    envoy = SimulatedEnvoy(sidecar_node(1, "team-1"))
    envoy.hello()
    asked(envoy, response(Kind.CDS, "1", [("a", eds_cluster("a")), ("b", eds_cluster("b"))]))
    asked(envoy, response(Kind.EDS, "2", [("a", cluster_pb2.Cluster()), ("b", cluster_pb2.Cluster())]))
    asked(envoy, response(Kind.LDS, "3", []))
    change, _ = asked(envoy, response(Kind.CDS, "4", [("c", eds_cluster("c"))], ["a"]))
    assert (list(change.resource_names_subscribe), list(change.resource_names_unsubscribe)) == (["c"], ["a"])
    assert envoy.holds()[Kind.CDS] == 2
    again = [discovery_pb2.DeltaDiscoveryRequest.FromString(request) for request in envoy.hello()]
    assert [request.type_url for request in again] == [TYPE_URLS[kind] for kind in (Kind.CDS, Kind.EDS, Kind.LDS)]
    assert again[0].HasField("node")
    assert dict(again[0].initial_resource_versions) == {"b": "v-b", "c": "v-c"}
    assert (list(again[1].resource_names_subscribe), dict(again[1].initial_resource_versions)) == (["b", "c"], {"b": "v-b"})
    assert envoy.resumed


def test_a_client_may_reject() -> None:
    """A NACK carries the nonce and a reason, and the client holds what it held."""
    envoy = SimulatedEnvoy(sidecar_node(1, "team-1"))
    envoy.refuses = lambda _: True
    envoy.hello()
    (nack,) = asked(envoy, response(Kind.CDS, "1", [("a", eds_cluster("a"))]))
    assert (nack.response_nonce, nack.error_detail.code) == ("1", 3)
    assert envoy.holds()[Kind.CDS] == 0


def data_frame(*messages: bytes) -> bytes:
    """Return one DATA frame of gRPC messages."""
    return frame(DATA, 0, 1, b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages))


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_messages_survive_any_cut(step: int) -> None:
    """Bytes may come in any pieces, messages in any frames."""
    messages = [b"first", b"", b"x" * 300, b"last"]
    joined = b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)
    stream = data_frame(*messages) + b"".join(frame(DATA, 0, 1, joined[at : at + 50]) for at in range(0, len(joined), 50))
    call = GrpcCall(b"")
    found = [message for at in range(0, len(stream), step) for message in call.receive(stream[at : at + step])]
    assert found == messages * 2


def test_the_windows_of_the_server_are_kept() -> None:
    """No more bytes leave than either window allows; an update lets the rest go, a ping is answered."""
    call = GrpcCall(b"")
    call.send(bytes(100_000))
    assert _payload(call.take_output()) == 65_535
    call.receive(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 50_000)))
    assert not call.take_output()  # the connection has no window yet
    call.receive(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 10_000)))
    assert _payload(call.take_output()) == 10_000
    call.receive(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 20)))
    assert _payload(call.take_output()) == 100_005 - 75_535
    call.receive(frame(PING, 0, 0, b"12345678"))
    assert call.take_output() == frame(PING, 1, 0, b"12345678")
    call.receive(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 20)))
    assert call.take_output() == frame(SETTINGS, 1, 0)


def test_the_end_of_a_call_is_noticed() -> None:
    """Trailers, a reset and a GOAWAY all end it."""
    for kind, flags in ((1, 5), (3, 0), (7, 0)):
        with pytest.raises(ConnectionEnded):
            GrpcCall(b"").receive(frame(kind, flags, 1, bytes(8)))


def _payload(output: bytes) -> int:
    """Return how many bytes of DATA there are."""
    total = at = 0
    while at < len(output):
        size = int.from_bytes(output[at : at + 3], "big")
        assert size <= 16_384
        total += size if output[at + 3] == DATA else 0
        at += 9 + size
    return total


def test_an_event_is_counted_by_its_markers() -> None:
    """Only clients that should see it are waited for; a stranger that got something is counted; all markers must be seen."""
    tally = Tally(Event("E", {Kind.CDS: b"mark", Kind.EDS: b"mark"}, "a"), ["a", "b", "a"], deaf={2})
    reader = Reader()
    clusters = reader.read(response(Kind.CDS, "1", [("x", cluster_pb2.Cluster(name="mark"))]))
    endpoints = reader.read(response(Kind.EDS, "2", [("x", cluster_pb2.Cluster(name="mark"))]))
    tally.take(0, clusters, 100, 1.0)
    tally.take(1, clusters, 100, 1.5)
    assert not tally.complete
    tally.take(0, endpoints, 50, 2.0)
    assert tally.complete
    report = tally.report(0.5)
    assert (report["expected"], report["got_marker"], report["got_any"], report["strangers"]) == (1, 1, 2, 1)
    assert report["ack_ms"] == {"first": 1500.0, "p50": 1500.0, "p99": 1500.0, "last": 1500.0}
    assert (report["messages"], report["bytes_per_client"]) == (3, {"CDS": 67, "EDS": 17})


def test_a_storm_is_counted_by_the_age_of_each_change() -> None:
    """An address counts when it is seen first; the client is through when it saw all."""
    tally = Tally(Event("E7", storm=2), ["a"])
    reader = Reader()
    for nonce, numbers, now in (("1", [0], 1.0), ("2", [0, 1], 3.0)):
        found = [(str(number), cluster_pb2.Cluster(name=storm_address(number))) for number in numbers]
        assert not tally.complete
        tally.take(0, reader.read(response(Kind.EDS, nonce, found)), 10, now)
    assert tally.complete
    ack = tally.report(0.0, written=[0.5, 1.0])["ack_ms"]
    assert (ack["first"], ack["last"]) == (500.0, 2000.0)


def test_percentiles_are_those_of_the_sorted_times() -> None:
    """The 99th of a hundred is the last but one."""
    assert spread([number / 1000 for number in range(100, 0, -1)]) == {"first": 1.0, "p50": 50.0, "p99": 99.0, "last": 100.0}
    assert spread([]) is None


async def test_simulated_envoys_are_served_by_our_server() -> None:
    """Many clients in one process get what a server has over real sockets, see a change, and resume with their versions."""
    names = [f"outbound|80||host-{number}.example" for number in range(2000)]  # more names than a window of HTTP/2 holds
    resources = [sample(kind, name) for name in names for kind in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT)]
    async with xds_rig(*resources) as rig:
        with LoadGenerator(quiet=0.2, timeout=30) as load:
            load.clients(12, ["a", "b"])
            load.watch(Event("start"))
            load.connect(rig.address)
            start = await asyncio.to_thread(load.finish, time.monotonic() - 1, until="configured")
            assert not start["timeout"], start
            assert start["first_client_holds"] == {"CDS": 2000, "EDS": 2000}
            load.watch(Event("E1", {Kind.EDS: b"new-mark"}))
            changed = sample(TypeUrl.ENDPOINT, names[5], "new-mark")
            begun = time.monotonic()
            rig.serve(
                *(changed if resource.name == names[5] and resource.type_url == TypeUrl.ENDPOINT else resource for resource in resources)
            )
            report = await asyncio.to_thread(load.finish, begun)
            assert (report["got_marker"], report["messages"], report["resources_per_client"]) == (12, 12, {"EDS": 1.0})
            load.park()
            load.watch(Event("again"))
            load.connect(rig.address)
            again = await asyncio.to_thread(load.finish, time.monotonic() - 1, until="configured")
            assert (again["timeout"], again["reconnects"]) == (False, 0)
            assert again["resources_per_client"].get("CDS", 0) == 0  # the versions are the same
