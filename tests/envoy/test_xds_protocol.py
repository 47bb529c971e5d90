"""The xDS server and a real Envoy understand each other, in the Delta and in the SotW variant."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from tests.support.ads_bootstrap import ADS, ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.memory_discovery import MemoryDiscovery

pytestmark = pytest.mark.envoy

_REGISTERED = (router_pb2, http_connection_manager_pb2)  # the type URLs that ParseDict resolves inside Any
HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def resource(type_url: TypeUrl, name: str, message: Message) -> XdsResource:
    """Return a message as xDS resource."""
    return make_resource(type_url, name, message.SerializeToString(deterministic=True))


def cluster(name: str, connect_timeout: str = "1s") -> XdsResource:
    """Return an EDS cluster."""
    eds = {"eds_config": ADS, "service_name": name}
    body = {"name": name, "type": "EDS", "connect_timeout": connect_timeout, "eds_cluster_config": eds}
    return resource(TypeUrl.CLUSTER, name, ParseDict(body, cluster_pb2.Cluster()))


def endpoints(name: str, port: int) -> XdsResource:
    """Return the endpoints of a cluster: one on loopback."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    body = {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
    return resource(TypeUrl.ENDPOINT, name, ParseDict(body, endpoint_pb2.ClusterLoadAssignment()))


def listener(name: str, routes: str, address: str = "127.0.0.1") -> XdsResource:
    """Return a listener on a free port whose routes come by RDS."""
    hcm = {
        "@type": HCM,
        "stat_prefix": name,
        "rds": {"config_source": ADS, "route_config_name": routes},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    body = {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": hcm}]}],
    }
    return resource(TypeUrl.LISTENER, name, ParseDict(body, listener_pb2.Listener()))


def routes(name: str, target: str, header: str) -> XdsResource:
    """Return routes that send everything to one cluster and mark responses with a header."""
    route = {
        "match": {"prefix": "/"},
        "route": {"cluster": target},
        "response_headers_to_add": [{"header": {"key": "x-route", "value": header}}],
    }
    body = {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}
    return resource(TypeUrl.ROUTE, name, ParseDict(body, route_pb2.RouteConfiguration()))


def bootstrap(server: str, api_type: str) -> dict[str, Any]:
    """Return the bootstrap of an Envoy that gets everything from the server."""
    config = ads_bootstrap(server, "test-proxy", ["cds", "lds"])
    config["node"] |= {"metadata": {"NAMESPACE": "shop"}, "locality": {"zone": "z1"}}
    config["dynamic_resources"]["ads_config"] |= {"api_type": api_type, "set_node_on_first_message_only": True}
    return config


@asynccontextmanager
async def upstream(text: str) -> AsyncIterator[int]:
    """Run an HTTP server that answers everything with a text; yields its port."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text)

    application = web.Application()
    application.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


class Rig:
    """An Envoy, the server that configures it and an upstream."""

    def __init__(self, discovery: MemoryDiscovery, server: AdsServer, address: str, envoy: EnvoyProcess, port: int) -> None:
        self.discovery, self.server, self.address, self.envoy, self.port = discovery, server, address, envoy, port

    async def fetch(self, name: str = "web") -> tuple[str, str]:
        """Return the route mark and the body of a request through the listener with the given name."""
        listeners = json.loads(await self.envoy.get("/listeners?format=json"))["listener_statuses"]
        port = next(entry["local_address"]["socket_address"]["port_value"] for entry in listeners if entry["name"] == name)
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/") as response:
            return response.headers.get("x-route", ""), await response.text()

    async def wait_route(self, mark: str) -> None:
        """Wait until a request is routed by the routes with the given mark."""

        async def served() -> bool:
            return (await self.fetch())[0] == mark

        await self.envoy.wait_until(served, f"routes {mark} are served")

    def base(self, mark: str = "one", connect_timeout: str = "1s") -> list[XdsResource]:
        """Return the resources of one listener with one cluster."""
        return base(self.port, mark, connect_timeout)


def base(port: int, mark: str = "one", connect_timeout: str = "1s") -> list[XdsResource]:
    """Return one cluster with endpoints and one listener with routes."""
    return [cluster("echo", connect_timeout), endpoints("echo", port), listener("web", "web-routes"), routes("web-routes", "echo", mark)]


@pytest.fixture(params=[(api, version) for version in sorted(BINARIES) for api in ("DELTA_GRPC", "GRPC")], ids="-".join)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Run an Envoy that is LIVE with the base resources, in each variant of the protocol, the oldest and the newest supported one."""
    api_type, version = request.param
    async with upstream("hello") as port:
        discovery = MemoryDiscovery(*base(port))
        server = AdsServer(discovery)
        address = await server.start("127.0.0.1:0")
        try:
            async with EnvoyProcess(bootstrap(address, api_type), tmp_path / "envoy", binary=BINARIES[version]()) as envoy:
                # Envoy is LIVE a moment before its last ACK is here.
                await discovery.wait_for(lambda: {ack.type_url.short for ack in discovery.acks} == {"CDS", "EDS", "LDS", "RDS"})
                yield Rig(discovery, server, address, envoy, port)
        finally:
            await server.stop(0.5)


async def test_envoy_becomes_live_and_serves(rig: Rig) -> None:
    """Envoy is LIVE with four hand-written resources, ACKs each type once, and its node is read."""
    assert await rig.fetch() == ("one", "hello")
    assert sorted(ack.type_url.short for ack in rig.discovery.acks) == ["CDS", "EDS", "LDS", "RDS"]
    assert rig.discovery.nacks == []
    node = rig.discovery.sessions[0].node
    assert (node.id, node.metadata, node.locality.zone) == ("test-proxy", {"NAMESPACE": "shop"}, "z1")
    assert node.version is not None
    assert "envoy.filters.http.router" in node.extensions


async def test_route_change_is_served(rig: Rig) -> None:
    """A change of routes reaches the next requests, and only RDS is sent for it."""
    rig.discovery.acks.clear()
    rig.discovery.serve(rig.base("two"))
    await rig.wait_route("two")
    await rig.discovery.wait_for(lambda: rig.discovery.acks)
    assert [ack.type_url for ack in rig.discovery.acks] == [TypeUrl.ROUTE]


async def test_updated_cluster_does_not_stay_warming(rig: Rig) -> None:
    """An update of an EDS cluster whose endpoints are subscribed is followed by them, so that it becomes active and its ACK arrives."""
    rig.discovery.acks.clear()
    revision = rig.discovery.serve(rig.base(connect_timeout="2s"))
    await rig.discovery.wait_for(lambda: TypeUrl.CLUSTER in {ack.type_url for ack in rig.discovery.acks if ack.revision == revision})
    assert await rig.envoy.stat("cluster_manager.warming_clusters") == 0
    active = (await rig.envoy.config_dump("resource=dynamic_active_clusters"))["configs"]
    assert [entry["cluster"]["connect_timeout"] for entry in active] == ["2s"]
    assert await rig.fetch() == ("one", "hello")


async def test_cluster_is_added_and_removed_around_its_route(rig: Rig) -> None:
    """A route that moves to a new cluster never meets a missing one: the new cluster comes first, the old one goes last."""
    moved = [cluster("next"), endpoints("next", rig.port), listener("web", "web-routes"), routes("web-routes", "next", "moved")]
    rig.discovery.acks.clear()
    rig.discovery.serve(moved)
    await rig.wait_route("moved")
    await rig.discovery.wait_for(
        lambda: any(_removes(ack.changes, "echo") for ack in rig.discovery.acks if ack.type_url is TypeUrl.CLUSTER)
    )
    order = [ack.type_url.short for ack in rig.discovery.acks]
    last_cds = len(order) - 1 - order[::-1].index("CDS")
    assert order.index("RDS") < last_cds
    assert await rig.fetch() == ("moved", "hello")
    assert rig.discovery.nacks == []


async def test_reconnect_after_server_restart(rig: Rig, request: pytest.FixtureRequest) -> None:
    """After a restart of the server Envoy reconnects and follows; in Delta nothing is sent again while nothing changed."""
    await rig.server.stop(0.5)
    assert await rig.fetch() == ("one", "hello")
    discovery = MemoryDiscovery(*rig.base())
    server = AdsServer(discovery)
    await server.start(rig.address)
    try:
        await discovery.wait_for(lambda: any(session.idle_revision == 1 for session in discovery.sessions))
        discovery.serve(rig.base("three", "3s"))
        await rig.wait_route("three")
        await discovery.wait_for(lambda: any(ack.type_url is TypeUrl.CLUSTER and ack.revision == 2 for ack in discovery.acks))
        if "DELTA" in request.node.name:
            assert [ack.type_url for ack in discovery.acks if ack.revision == 1] == []
    finally:
        await server.stop(0.5)


async def test_reconnect_while_a_cluster_warms(rig: Rig, request: pytest.FixtureRequest) -> None:
    """A cluster that waits for its endpoints while the server is gone gets them on reconnect, and then its update is complete."""
    updated = rig.base(connect_timeout="4s")
    if "DELTA" in request.node.name:
        lost = [replace(entry, eds_name="another") if entry.type_url is TypeUrl.CLUSTER else entry for entry in updated]
        rig.discovery.serve(lost)  # so nothing follows the cluster, and Envoy does not ask
    else:
        rig.discovery.serve([entry for entry in updated if entry.type_url is not TypeUrl.ENDPOINT])  # so there is no answer

    async def warming() -> bool:
        return await rig.envoy.stat("cluster_manager.warming_clusters") == 1

    await rig.envoy.wait_until(warming, "the updated cluster warms")
    await rig.server.stop(0.5)
    discovery = MemoryDiscovery(*rig.base(connect_timeout="4s"))
    server = AdsServer(discovery)
    await server.start(rig.address)
    try:

        async def warm() -> bool:
            return await rig.envoy.stat("cluster_manager.warming_clusters") == 0

        await rig.envoy.wait_until(warm, "the cluster is warm")
        assert await rig.fetch() == ("one", "hello")
    finally:
        await server.stop(0.5)


async def test_nack_is_reported_and_the_rest_goes_on(rig: Rig) -> None:
    """A listener that Envoy rejects is reported with its name and reason, is not sent again, and routes go on being updated."""
    bad = listener("broken", "web-routes", address="not-an-address")
    rig.discovery.serve([*rig.base(), bad])
    await rig.discovery.wait_for(lambda: rig.discovery.nacks)
    nack = rig.discovery.nacks[0]
    assert nack.type_url is TypeUrl.LISTENER
    assert nack.changes == {"broken": bad.version}
    assert "not-an-address" in nack.message
    rig.discovery.serve([*rig.base("after"), bad])
    await rig.wait_route("after")
    assert len(rig.discovery.nacks) == 1
    assert await rig.envoy.stat("listener_manager.lds.update_rejected") == 1


def _removes(changes: Any, name: str) -> bool:
    return name in changes and changes[name] is None


async def test_removed_listener_closes(rig: Rig) -> None:
    """A listener that is gone from the state is gone from Envoy."""
    rig.discovery.serve([cluster("echo"), endpoints("echo", rig.port)])

    async def gone() -> bool:
        return not json.loads(await rig.envoy.get("/listeners?format=json")).get("listener_statuses")

    await rig.envoy.wait_until(gone, "the listener is gone")
    await asyncio.wait_for(rig.discovery.wait_for(lambda: any(_removes(ack.changes, "web") for ack in rig.discovery.acks)), 5)
