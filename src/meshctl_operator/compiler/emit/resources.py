"""From planned Inputs to resources: emits the message, serialises it deterministically, keeps the provenance."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final

from envoy.config.cluster.v3 import cluster_pb2

from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.emit.endpoints import emit_endpoints
from meshctl_operator.compiler.emit.listeners import emit_listener
from meshctl_operator.compiler.emit.secrets import emit_secret
from meshctl_operator.compiler.inputs.clusters import ClusterInput
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput
from meshctl_operator.compiler.inputs.listeners import ListenerInput
from meshctl_operator.compiler.inputs.planned import Planned
from meshctl_operator.compiler.inputs.secrets import SecretInput
from meshctl_operator.compiler.resources import CompiledResource, compiled_resource
from meshctl_operator.xds.resources import TypeUrl

CLUSTER_TYPE: Final = TypeUrl.CLUSTER
ENDPOINT_TYPE: Final = TypeUrl.ENDPOINT
LISTENER_TYPE: Final = TypeUrl.LISTENER
ROUTE_TYPE: Final = TypeUrl.ROUTE
VIRTUAL_HOST_TYPE: Final = TypeUrl.VIRTUAL_HOST
SECRET_TYPE: Final = TypeUrl.SECRET


def cluster_resource(cluster: Planned[ClusterInput]) -> CompiledResource:
    """Return the Cluster, with the name of the endpoint resource that it asks for."""
    message = emit_cluster(cluster.input)
    eds = message.WhichOneof("cluster_discovery_type") == "type" and message.type == cluster_pb2.Cluster.EDS
    eds_name = (message.eds_cluster_config.service_name or message.name) if eds else ""
    body = serialised(emit_cluster, cluster.input, message)
    asked = tuple(name for tls in (cluster.input.tls, cluster.input.tls_where_taken) if tls is not None for name in tls.secrets)
    return compiled_resource(CLUSTER_TYPE, message.name, body, (cluster.provenance,), eds_name, secret_names=asked)


def endpoint_resource(endpoints: Planned[EndpointsInput]) -> CompiledResource:
    """Return the ClusterLoadAssignment."""
    message = emit_endpoints(endpoints.input)
    return compiled_resource(
        ENDPOINT_TYPE, message.cluster_name, serialised(emit_endpoints, endpoints.input, message), (endpoints.provenance,)
    )


def listener_resource(listener: Planned[ListenerInput]) -> CompiledResource:
    """Return the Listener."""
    message = emit_listener(listener.input)
    return compiled_resource(LISTENER_TYPE, message.name, serialised(emit_listener, listener.input, message), (listener.provenance,))


def secret_resource(secret: Planned[SecretInput]) -> CompiledResource:
    """Return the Secret."""
    message = emit_secret(secret.input)
    return compiled_resource(SECRET_TYPE, message.name, serialised(emit_secret, secret.input, message), (secret.provenance,))


def serialised(emit: Callable[[Any], Any], value: object, message: Any) -> bytes:  # noqa: ANN401  (protobuf messages carry no types)
    """Return the deterministic bytes of a message; ``emit`` and ``value`` are what it was made by, to make it again where that is checked."""
    body: bytes = message.SerializeToString(deterministic=True)
    if sys.flags.dev_mode and emit(value).SerializeToString(deterministic=True) != body:
        # Equal Inputs must give equal bytes, or every push would re-warm what did not change.
        msg = f"{emit.__name__} gave different bytes for one input"
        raise AssertionError(msg)
    return body
