"""The configuration of one proxy, decoded for walking over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import json_format

_PACKED: Final = tuple(
    f"envoy.extensions.{name}_pb2"
    for name in (
        "access_loggers.file.v3.file",
        "access_loggers.stream.v3.stream",
        "filters.http.cors.v3.cors",
        "filters.http.fault.v3.fault",
        "filters.http.grpc_stats.v3.config",
        "filters.http.grpc_web.v3.grpc_web",
        "filters.http.router.v3.router",
        "filters.listener.http_inspector.v3.http_inspector",
        "filters.listener.original_dst.v3.original_dst",
        "filters.listener.original_src.v3.original_src",
        "filters.listener.proxy_protocol.v3.proxy_protocol",
        "filters.listener.tls_inspector.v3.tls_inspector",
        "filters.network.http_connection_manager.v3.http_connection_manager",
        "filters.network.mongo_proxy.v3.mongo_proxy",
        "filters.network.tcp_proxy.v3.tcp_proxy",
        "retry.host.previous_hosts.v3.previous_hosts",
        "retry.priority.previous_priorities.v3.previous_priorities_config",
        "transport_sockets.tls.v3.tls",
    )
)
"""Modules of the messages that stand packed in listeners and routes: JSON of a packed message is read only where its type is known."""


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """Listeners, route configurations by name, and the names of the clusters there are (None: whatever a route names is there)."""

    listeners: tuple[listener_pb2.Listener, ...] = ()
    routes: Mapping[str, route_pb2.RouteConfiguration] = field(default_factory=dict)
    clusters: frozenset[str] | None = None

    def knows(self, cluster: str) -> bool:
        """Tell whether there is a cluster of that name."""
        return self.clusters is None or cluster in self.clusters


def config_from_bytes(listeners: Iterable[bytes] = (), routes: Iterable[bytes] = (), clusters: Iterable[str] | None = None) -> ProxyConfig:
    """Return the configuration out of serialised messages. Route configurations must be whole, with their virtual hosts inside."""
    parsed = [route_pb2.RouteConfiguration.FromString(body) for body in routes]
    return ProxyConfig(
        tuple(listener_pb2.Listener.FromString(body) for body in listeners),
        {route.name: route for route in parsed},
        None if clusters is None else frozenset(clusters),
    )


def config_from_json(
    listeners: Iterable[Mapping[str, object]] = (),
    routes: Iterable[Mapping[str, object]] = (),
    clusters: Iterable[str] | None = None,
) -> ProxyConfig:
    """Return the configuration out of protobuf JSON, such as ``meshctl translate -o json`` prints it.

    Raises ``google.protobuf.json_format.ParseError`` where something is no such message.
    """
    for name in _PACKED:
        import_module(name)
    parsed = [json_format.ParseDict(dict(route), route_pb2.RouteConfiguration()) for route in routes]
    return ProxyConfig(
        tuple(json_format.ParseDict(dict(listener), listener_pb2.Listener()) for listener in listeners),
        {route.name: route for route in parsed},
        None if clusters is None else frozenset(clusters),
    )
