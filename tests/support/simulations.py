"""Short ways to write Envoy messages and proxy configurations for tests of the simulation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_components_pb2, route_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2 as _cors  # noqa: F401  (registers what is packed)
from envoy.extensions.filters.http.fault.v3 import fault_pb2 as _fault  # noqa: F401  (registers what is packed)
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.filters.network.tcp_proxy.v3 import tcp_proxy_pb2 as _tcp  # noqa: F401  (registers what is packed)
from google.protobuf import json_format

from meshctl_operator.compiler.resources import CompiledProxy
from meshctl_operator.simulation import ProxyConfig, config_from_bytes
from meshctl_operator.xds.resources import TypeUrl

HCM_TYPE = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
TCP_TYPE = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
FAULT = {
    "name": "envoy.filters.http.fault",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault"},
}
CORS = {"name": "envoy.filters.http.cors", "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"}}


def listener(**fields: Any) -> Any:
    """Return a Listener; ``port`` and ``address`` are those of its socket address."""
    place = {"address": fields.pop("address", "0.0.0.0"), "port_value": fields.pop("port", 80)}
    return json_format.ParseDict({"address": {"socket_address": place}, **fields}, listener_pb2.Listener())


def tcp_chain(cluster: str, match: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a filter chain that passes bytes to a cluster, in protobuf JSON. It is named after the cluster."""
    proxy = {"@type": TCP_TYPE, "stat_prefix": "x", "cluster": cluster, **fields}
    return {"name": cluster, "filter_chain_match": dict(match or {}), "filters": [{"name": "tcp", "typed_config": proxy}]}


def http_chain(name: str, match: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a filter chain with a connection manager that has the routes of that name, in protobuf JSON."""
    manager = {"@type": HCM_TYPE, "stat_prefix": "x", "rds": {"route_config_name": name}, "http_filters": [FAULT, CORS], **fields}
    return {"name": name, "filter_chain_match": dict(match or {}), "filters": [{"name": "http", "typed_config": manager}]}


def manager(**fields: Any) -> Any:
    """Return an HttpConnectionManager with the filters that concern routes."""
    return json_format.ParseDict({"http_filters": [FAULT, CORS], **fields}, http_connection_manager_pb2.HttpConnectionManager())


def route(**fields: Any) -> Any:
    """Return a Route."""
    return json_format.ParseDict(fields, route_components_pb2.Route())


def route_match(**fields: Any) -> Any:
    """Return a RouteMatch; without a path every path fits."""
    paths = {"prefix", "path", "safe_regex", "path_separated_prefix", "connect_matcher", "path_match_policy"}
    return json_format.ParseDict(fields if paths & set(fields) else {"prefix": "/", **fields}, route_components_pb2.RouteMatch())


def route_configuration(name: str, *hosts: Mapping[str, Any], **fields: Any) -> Any:
    """Return a RouteConfiguration."""
    return json_format.ParseDict({"name": name, "virtual_hosts": [dict(host) for host in hosts], **fields}, route_pb2.RouteConfiguration())


def proxy_config(*parts: Any, clusters: tuple[str, ...] | None = None) -> ProxyConfig:
    """Return a configuration of listeners and route configurations."""
    listeners = tuple(part for part in parts if isinstance(part, listener_pb2.Listener))
    routes = {part.name: part for part in parts if isinstance(part, route_pb2.RouteConfiguration)}
    return ProxyConfig(listeners, routes, None if clusters is None else frozenset(clusters))


def served_config(compiled: CompiledProxy) -> ProxyConfig:
    """Return what a proxy was compiled to."""
    found = compiled.resources
    bodies = {type_url: [item.body for _, item in items.items()] for type_url, items in found.items()}
    clusters = [name for name, _ in found[TypeUrl.CLUSTER].items()] if TypeUrl.CLUSTER in found else []
    return config_from_bytes(bodies.get(TypeUrl.LISTENER, ()), bodies.get(TypeUrl.ROUTE, ()), clusters)
