"""Emit ``Route``, ``VirtualHost`` and ``RouteConfiguration``."""

from __future__ import annotations

from typing import assert_never

from envoy.config.route.v3 import route_components_pb2, route_pb2

from meshctl_operator.compiler.emit.routes.actions import emit_direct_response, emit_forward, emit_redirect
from meshctl_operator.compiler.emit.routes.headers import add_header_operations
from meshctl_operator.compiler.emit.routes.matches import emit_match
from meshctl_operator.compiler.filters import cors, fault
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    ForwardInput,
    RedirectInput,
    RouteConfigurationInput,
    RouteInput,
    VirtualHostInput,
)
from meshctl_operator.compiler.ordering import HttpFilterName


def emit_route_configuration(route: RouteConfigurationInput) -> route_pb2.RouteConfiguration:
    """Return ``RouteConfiguration``. Clusters are not checked: one that is missing costs only its own routes (503)."""
    message = route_pb2.RouteConfiguration(
        name=route.name,
        virtual_hosts=[emit_virtual_host(host) for host in route.virtual_hosts],
        ignore_port_in_host_matching=route.ignore_port_in_host_matching,
    )
    message.validate_clusters.value = False
    if route.max_direct_response_body is not None:
        message.max_direct_response_body_size_bytes.value = route.max_direct_response_body
    return message


def emit_virtual_host(host: VirtualHostInput) -> route_components_pb2.VirtualHost:
    """Return ``VirtualHost``."""
    return route_components_pb2.VirtualHost(
        name=host.name,
        domains=host.domains,
        routes=[emit_route(route) for route in host.routes],
        require_tls=route_components_pb2.VirtualHost.ALL if host.require_tls else route_components_pb2.VirtualHost.NONE,
        include_request_attempt_count=host.attempt_count,
    )


def emit_route(route: RouteInput) -> route_components_pb2.Route:
    """Return ``Route`` with its action and the per-route configuration of the filters that it needs."""
    message = route_components_pb2.Route(name=route.name, match=emit_match(route.match), stat_prefix=route.stat_prefix)
    match route.action:
        case ForwardInput():
            message.route.CopyFrom(emit_forward(route.action))
        case RedirectInput():
            message.redirect.CopyFrom(emit_redirect(route.action))
        case DirectResponseInput():
            message.direct_response.CopyFrom(emit_direct_response(route.action))
        case _:
            assert_never(route.action)
    if route.config:
        message.metadata.filter_metadata["istio"].fields["config"].string_value = route.config
    if route.decorator:
        message.decorator.operation = route.decorator
    add_header_operations(message, route.headers)
    if route.fault is not None:
        message.typed_per_filter_config[HttpFilterName.FAULT.value].Pack(fault.per_route(route.fault), deterministic=True)
    if route.cors is not None:
        message.typed_per_filter_config[HttpFilterName.CORS.value].Pack(cors.per_route(route.cors), deterministic=True)
    return message
