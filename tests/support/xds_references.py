"""What a Cluster or Listener refers to by name over ADS: endpoints, routes and secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2
from google.protobuf import any_pb2, symbol_database
from google.protobuf.message import Message

from meshctl_operator.xds.resources import TypeUrl

REGISTERED = (http_connection_manager_pb2, tls_pb2, router_pb2, tcp_proxy_pb2)
"""Importing a module registers its messages, so that they can be read out of an Any; what is not registered is not looked into."""


def references(message: Message) -> set[tuple[TypeUrl, str]]:
    """Return (type, name) of everything that the message discovers by name, at any depth."""
    return {reference for part in _walk(message) if (reference := _reference(part))}


def parts(message: Message) -> Iterator[Any]:
    """Yield the message and every message in it, at any depth."""
    yield from _walk(message)


def cluster_names(message: Message) -> set[str]:
    """Return the clusters that a Listener or RouteConfiguration sends traffic to, mirrored requests included."""
    return {name for part in _walk(message) for name in _cluster_names(part) if name}


def _cluster_names(part: Any) -> tuple[str, ...]:
    match part.DESCRIPTOR.full_name:
        case "envoy.config.route.v3.RouteAction" | "envoy.config.route.v3.RouteAction.RequestMirrorPolicy":
            return (part.cluster,)
        case "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy":
            return (part.cluster,)
        case "envoy.config.route.v3.WeightedCluster.ClusterWeight":
            return (part.name,)
        case "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight":
            return (part.name,)
        case _:
            return ()


def _reference(part: Any) -> tuple[TypeUrl, str] | None:
    match part.DESCRIPTOR.full_name:
        case "envoy.config.cluster.v3.Cluster" if part.type == cluster_pb2.Cluster.EDS:
            return TypeUrl.ENDPOINT, part.eds_cluster_config.service_name or part.name
        case "envoy.extensions.filters.network.http_connection_manager.v3.Rds":
            return TypeUrl.ROUTE, part.route_config_name
        case "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig" if part.HasField("sds_config"):
            return TypeUrl.SECRET, part.name
        case _:
            return None


def _walk(message: Any) -> Iterator[Any]:
    if isinstance(message, any_pb2.Any):
        try:
            inner = symbol_database.Default().GetSymbol(message.type_url.rpartition("/")[2])()
        except KeyError:
            return
        message.Unpack(inner)
        message = inner
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            values = [value[key] for key in value] if field.message_type.fields_by_name["value"].message_type else []
        else:
            values = value if field.is_repeated else [value]
        for part in values:
            yield from _walk(part)
