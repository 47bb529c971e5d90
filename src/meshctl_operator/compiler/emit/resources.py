"""From planned Inputs to resources: emits the message, serialises it deterministically, keeps the provenance."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2

from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.emit.endpoints import emit_endpoints
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.emit.routes import emit_route_configuration
from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.listeners import ListenerInput
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.inputs.secrets import SecretInput
from meshctl_operator.compiler.resources import CompiledResource

CLUSTER_TYPE: Final = f"type.googleapis.com/{cluster_pb2.Cluster.DESCRIPTOR.full_name}"
ENDPOINT_TYPE: Final = f"type.googleapis.com/{endpoint_pb2.ClusterLoadAssignment.DESCRIPTOR.full_name}"
LISTENER_TYPE: Final = f"type.googleapis.com/{listener_pb2.Listener.DESCRIPTOR.full_name}"
ROUTE_TYPE: Final = f"type.googleapis.com/{route_pb2.RouteConfiguration.DESCRIPTOR.full_name}"
SECRET_TYPE: Final = f"type.googleapis.com/{secret_pb2.Secret.DESCRIPTOR.full_name}"


def cluster_resource(cluster: Planned[ClusterInput]) -> CompiledResource:
    """Return the Cluster, with the name of the endpoint resource that it asks for."""
    message = emit_cluster(cluster.input)
    eds = message.type == cluster_pb2.Cluster.EDS
    eds_name = (message.eds_cluster_config.service_name or message.name) if eds else ""
    return CompiledResource(CLUSTER_TYPE, message.name, _bytes(emit_cluster, cluster.input, message), cluster.provenance, eds_name)


def endpoint_resource(endpoints: Planned[EndpointsInput]) -> CompiledResource:
    """Return the ClusterLoadAssignment."""
    message = emit_endpoints(endpoints.input)
    return CompiledResource(ENDPOINT_TYPE, message.cluster_name, _bytes(emit_endpoints, endpoints.input, message), endpoints.provenance)


def listener_resource(listener: Planned[ListenerInput]) -> CompiledResource:
    """Return the Listener."""
    message = emit_listener(listener.input)
    return CompiledResource(LISTENER_TYPE, message.name, _bytes(emit_listener, listener.input, message), listener.provenance)


def route_resource(route: Planned[RouteConfigurationInput]) -> CompiledResource:
    """Return the RouteConfiguration."""
    message = emit_route_configuration(route.input)
    return CompiledResource(ROUTE_TYPE, message.name, _bytes(emit_route_configuration, route.input, message), route.provenance)


def secret_resource(secret: Planned[SecretInput]) -> CompiledResource:
    """Return the Secret."""
    message = emit_secret(secret.input)
    return CompiledResource(SECRET_TYPE, message.name, _bytes(emit_secret, secret.input, message), secret.provenance)


def _bytes(emit: Callable[[Any], Any], value: object, message: Any) -> bytes:  # noqa: ANN401  (protobuf messages carry no types)
    body: bytes = message.SerializeToString(deterministic=True)
    if sys.flags.dev_mode and emit(value).SerializeToString(deterministic=True) != body:
        # Equal Inputs must give equal bytes, or every push would re-warm what did not change.
        msg = f"{emit.__name__} gave different bytes for one input"
        raise AssertionError(msg)
    return body
