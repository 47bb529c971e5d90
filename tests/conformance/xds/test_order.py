"""In which order a client that behaves like Envoy is told what changed, and how its clusters get warm, over a real socket."""

from __future__ import annotations

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2

from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from tests.support.xds_client import XdsClient
from tests.support.xds_rig import XdsRig, mark_of, sample, xds_rig

BOTH = pytest.mark.parametrize("protocol", ["sotw", "delta"])


def mesh(name: str, mark: str = "1") -> list[XdsResource]:
    """Return a cluster, its endpoints, a listener and routes."""
    return [
        sample(TypeUrl.CLUSTER, name, mark),
        sample(TypeUrl.ENDPOINT, name, mark),
        sample(TypeUrl.LISTENER, "listener", mark),
        sample(TypeUrl.ROUTE, "routes", mark),
    ]


def order(client: XdsClient) -> list[str]:
    """Return the short names of the types of all responses, in order, without SDS."""
    return [received.type_url.short for received in client.log if received.type_url is not TypeUrl.SECRET]


async def follow(rig: XdsRig, protocol: XdsProtocol) -> XdsClient:
    """Return a client that has started as Envoy does, with the routes as well, and has forgotten what came so far."""
    client = await rig.connect(protocol)
    await client.follow()
    await client.wait_for(lambda: client.responses(TypeUrl.LISTENER))
    if rig.discovery.state and rig.discovery.state.of(TypeUrl.ROUTE):
        await client.subscribe(TypeUrl.ROUTE, "routes")
        await client.wait_for(lambda: client.names(TypeUrl.ROUTE))
    await rig.quiet(client)
    client.log.clear()
    return client


@BOTH
async def test_additions_come_in_the_order_of_references(protocol: XdsProtocol) -> None:
    """One change of everything is told as CDS, EDS, LDS, RDS."""
    async with xds_rig(*mesh("a")) as rig:
        client = await follow(rig, protocol)
        rig.serve(*mesh("a", "2"))
        await client.wait_for(lambda: mark_of(client.resources[TypeUrl.ROUTE]["routes"]) == "2")
        await rig.quiet(client)
        firsts = list(dict.fromkeys(order(client)))
        assert firsts == ["CDS", "EDS", "LDS", "RDS"]


@BOTH
async def test_updated_cluster_is_followed_by_its_endpoints(protocol: XdsProtocol) -> None:
    """An update of a cluster is followed by its unchanged endpoints, while the ACK of CDS is withheld; then the ACK arrives."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a"), sample(TypeUrl.ENDPOINT, "a")) as rig:
        client = await follow(rig, protocol)
        revision = rig.serve(sample(TypeUrl.CLUSTER, "a", "2"), sample(TypeUrl.ENDPOINT, "a"))
        await rig.discovery.wait_for(lambda: any(a.type_url is TypeUrl.CLUSTER and a.revision == revision for a in rig.discovery.acks))
        assert order(client)[:2] == ["CDS", "EDS"]
        assert client.unanswered == []


@BOTH
async def test_only_the_endpoints_of_updated_clusters_follow(protocol: XdsProtocol) -> None:
    """Of three clusters one is updated: in Delta only its endpoints are sent again."""
    names = "abc"
    async with xds_rig(*[sample(t, name) for name in names for t in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT)]) as rig:
        client = await follow(rig, protocol)
        rig.serve(*[sample(TypeUrl.CLUSTER, n, "2" if n == "b" else "1") for n in names], *[sample(TypeUrl.ENDPOINT, n) for n in names])
        await client.wait_for(lambda: client.responses(TypeUrl.ENDPOINT))
        await rig.quiet(client)
        if protocol == "delta":
            assert [received.names for received in client.responses(TypeUrl.ENDPOINT)] == [["b"]]
        assert client.unanswered == []


async def test_endpoints_of_another_name_follow_their_cluster() -> None:
    """Where a cluster discovers its endpoints under another name, these follow."""

    def cluster(mark: str) -> XdsResource:
        eds = cluster_pb2.Cluster.EdsClusterConfig(eds_config=config_source_pb2.ConfigSource(ads={}), service_name="shared")
        body = cluster_pb2.Cluster(name="a", alt_stat_name=mark, type=cluster_pb2.Cluster.EDS, eds_cluster_config=eds)
        return make_resource(TypeUrl.CLUSTER, "a", body.SerializeToString(deterministic=True), eds_name="shared")

    async with xds_rig() as rig:
        rig.serve(cluster("1"), sample(TypeUrl.ENDPOINT, "shared"))
        client = await follow(rig, "delta")
        rig.serve(cluster("2"), sample(TypeUrl.ENDPOINT, "shared"))
        await client.wait_for(lambda: client.responses(TypeUrl.ENDPOINT))
        assert client.responses(TypeUrl.ENDPOINT)[0].names == ["shared"]


async def test_sotw_repeated_request_for_endpoints_is_answered() -> None:
    """In SotW Envoy asks for the endpoints of an updated cluster with the nonce that it ACKed before; that is answered in full."""
    async with xds_rig(sample(TypeUrl.ENDPOINT, "a"), sample(TypeUrl.ENDPOINT, "b")) as rig:
        client = await rig.connect("sotw")
        await client.subscribe(TypeUrl.ENDPOINT, "a", "b")
        await client.wait_for(lambda: client.log)
        await rig.quiet(client)
        await client.send_sotw(TypeUrl.ENDPOINT)
        await client.wait_for(lambda: len(client.responses(TypeUrl.ENDPOINT)) == 2)
        assert client.responses(TypeUrl.ENDPOINT)[1].names == ["a", "b"]


@BOTH
async def test_replaced_cluster_goes_after_the_routes(protocol: XdsProtocol) -> None:
    """When routes move to another cluster, the old one is removed only after they are ACKed."""
    async with xds_rig(*mesh("old")) as rig:
        client = await follow(rig, protocol)
        client.hold.add(TypeUrl.ROUTE)
        rig.serve(*[r for r in mesh("new") if r.type_url is not TypeUrl.ROUTE], sample(TypeUrl.ROUTE, "routes", "moved"))
        await client.wait_for(lambda: client.unanswered)
        await rig.quiet(client)
        assert client.names(TypeUrl.CLUSTER) == ["new", "old"]
        await client.ack(client.unanswered[0])
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["new"])
        assert order(client).index("RDS") < len(order(client)) - 1 - order(client)[::-1].index("CDS")


@BOTH
async def test_removal_alone_does_not_wait(protocol: XdsProtocol) -> None:
    """A cluster that vanishes while nothing else changes is removed at once."""
    async with xds_rig(*mesh("a"), sample(TypeUrl.CLUSTER, "b"), sample(TypeUrl.ENDPOINT, "b")) as rig:
        client = await follow(rig, protocol)
        rig.serve(*mesh("a"))
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["a"])
        assert "LDS" not in order(client)


async def test_delta_reconnect_during_warming_is_answered() -> None:
    """A client that reconnects with EDS as its first request gets endpoints whose versions it has, for a cluster may wait for them."""
    endpoints = sample(TypeUrl.ENDPOINT, "a")
    async with xds_rig(sample(TypeUrl.CLUSTER, "a"), endpoints) as rig:
        client = await rig.connect("delta")
        await client.send_delta(TypeUrl.ENDPOINT, subscribe=["a"], initial={"a": endpoints.version})
        await client.wait_for(lambda: client.log)
        assert client.log[0].names == ["a"]


async def test_delta_reconnect_with_clusters_first_is_silent() -> None:
    """A client that reconnects with CDS as its first request has no cluster that warms: endpoints that it has are not sent again."""
    cluster, endpoints = sample(TypeUrl.CLUSTER, "a"), sample(TypeUrl.ENDPOINT, "a")
    async with xds_rig(cluster, endpoints) as rig:
        client = await rig.connect("delta")
        await client.send_delta(TypeUrl.CLUSTER, initial={"a": cluster.version})
        await client.send_delta(TypeUrl.ENDPOINT, subscribe=["a"], initial={"a": endpoints.version})
        await rig.quiet(client)
        assert order(client) == []


async def test_delta_reconnect_after_an_update_has_its_endpoints_follow() -> None:
    """A cluster that changed meanwhile is sent before the client asks for endpoints; then its endpoints follow, and only these."""
    old = {name: sample(TypeUrl.CLUSTER, name).version for name in ("a", "b")}
    endpoints = [sample(TypeUrl.ENDPOINT, name) for name in ("a", "b")]
    async with xds_rig(sample(TypeUrl.CLUSTER, "a", "2"), sample(TypeUrl.CLUSTER, "b"), *endpoints) as rig:
        client = await rig.connect("delta")
        await client.send_delta(TypeUrl.CLUSTER, initial=old)
        await client.wait_for(lambda: client.responses(TypeUrl.CLUSTER))
        await client.send_delta(TypeUrl.ENDPOINT, subscribe=["a", "b"], initial={entry.name: entry.version for entry in endpoints})
        await rig.quiet(client)
        assert [(received.type_url.short, received.names) for received in client.log[:2]] == [("CDS", ["a"]), ("EDS", ["a"])]
        assert order(client) == ["CDS", "EDS"]
