"""An xDS server over a real socket whose state a test sets, small resources for it, and the way to connect clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import base_pb2, config_source_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.options import ServerOptions
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.xds_client import XdsClient


class XdsRig:
    """A server with a discovery."""

    def __init__(self, discovery: MemoryDiscovery, server: AdsServer, address: str, stack: AsyncExitStack) -> None:
        self.discovery, self.server, self.address = discovery, server, address
        self._stack = stack
        self._barriers = 0

    def serve(self, *resources: XdsResource) -> int:
        """Serve exactly these resources from now on, and return the revision."""
        return self.discovery.serve(resources)

    async def connect(self, protocol: XdsProtocol, node_id: str = "test-id") -> XdsClient:
        """Return a connected client, which is closed after the test."""
        return await self._stack.enter_async_context(XdsClient(self.address, protocol, node_id=node_id))

    async def quiet(self, client: XdsClient) -> None:
        """Return when everything that the server had to tell the client now has arrived and was answered.

        The client asks for a secret that did not exist before. Its answer is written after all else, since secrets come last.
        """
        self._barriers += 1
        secret = sample(TypeUrl.SECRET, f"barrier-{self._barriers}")
        state = self.discovery.state
        held = [resource for of_type in state.resources.values() for resource in of_type.values()] if state else []
        self.discovery.serve([*held, secret])
        await client.subscribe(TypeUrl.SECRET, secret.name)
        await client.wait_for(lambda: secret.name in client.names(TypeUrl.SECRET))


@asynccontextmanager
async def xds_rig(*resources: XdsResource, options: ServerOptions | None = None) -> AsyncIterator[XdsRig]:
    """Run a server that serves the resources."""
    discovery = MemoryDiscovery(*resources)
    server = AdsServer(discovery, options)
    address = await server.start("127.0.0.1:0")
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop, 0.5)
        yield XdsRig(discovery, server, address, stack)


def sample(type_url: TypeUrl, name: str, mark: str = "1", *, eds_name: str = "") -> XdsResource:
    """Return a small valid resource of any type; another ``mark`` is another content."""
    return make_resource(type_url, name, sample_message(type_url, name, mark).SerializeToString(deterministic=True), eds_name=eds_name)


def sample_message(type_url: TypeUrl, name: str, mark: str) -> Any:
    """Return the message of ``sample``. Clusters are EDS clusters whose endpoints have their name."""
    match type_url:
        case TypeUrl.CLUSTER:
            eds = cluster_pb2.Cluster.EdsClusterConfig(eds_config=config_source_pb2.ConfigSource(ads={}))
            return cluster_pb2.Cluster(name=name, alt_stat_name=mark, type=cluster_pb2.Cluster.EDS, eds_cluster_config=eds)
        case TypeUrl.ENDPOINT:
            return endpoint_pb2.ClusterLoadAssignment(
                cluster_name=name, endpoints=[endpoint_components_pb2.LocalityLbEndpoints(locality=base_pb2.Locality(zone=mark))]
            )
        case TypeUrl.LISTENER:
            return listener_pb2.Listener(name=name, stat_prefix=mark)
        case TypeUrl.ROUTE:
            return route_pb2.RouteConfiguration(name=name, virtual_hosts=[route_components_pb2.VirtualHost(name=mark, domains=["*"])])
        case TypeUrl.VIRTUAL_HOST:
            return route_components_pb2.VirtualHost(name=name, domains=[mark])
        case TypeUrl.SECRET:
            return secret_pb2.Secret(name=name, generic_secret={"secret": {"inline_string": mark}})


def mark_of(message: Any) -> str:
    """Return the mark of a message that ``sample_message`` made."""
    match message:
        case cluster_pb2.Cluster():
            return str(message.alt_stat_name)
        case endpoint_pb2.ClusterLoadAssignment():
            return str(message.endpoints[0].locality.zone)
        case listener_pb2.Listener():
            return str(message.stat_prefix)
        case route_pb2.RouteConfiguration():
            return str(message.virtual_hosts[0].name)
        case route_components_pb2.VirtualHost():
            return str(message.domains[0])
        case _:
            return str(message.generic_secret.secret.inline_string)
