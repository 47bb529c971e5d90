"""ClusterLoadAssignment (``envoy.config.endpoint.v3``)."""

from __future__ import annotations

from typing import Final, assert_never

from envoy.config.core.v3 import address_pb2, base_pb2, health_check_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2, endpoint_pb2

from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, EndpointsInput, LbEndpointInput, LocalityInput

_UNIX: Final = "unix://"
_SOCKET_MATCH: Final = "envoy.transport_socket_match"


def emit_endpoints(endpoints: EndpointsInput) -> endpoint_pb2.ClusterLoadAssignment:
    """Return the ClusterLoadAssignment of one cluster, for EDS or for inside a cluster."""
    message = endpoint_pb2.ClusterLoadAssignment(cluster_name=endpoints.name)
    message.endpoints.extend(_locality(locality) for locality in endpoints.localities)
    return message


def emit_address(address: str, port: int) -> address_pb2.Address:
    """Return a TCP address, or a pipe for ``unix://`` (``unix://@name`` is an abstract socket)."""
    message = address_pb2.Address()
    _set_address(message, address, port)
    return message


def _set_address(message: address_pb2.Address, address: str, port: int) -> None:
    if address.startswith(_UNIX):
        message.pipe.path = address.removeprefix(_UNIX)
    else:
        message.socket_address.address = address
        message.socket_address.port_value = port


def _locality(locality: LocalityInput) -> endpoint_components_pb2.LocalityLbEndpoints:
    message = endpoint_components_pb2.LocalityLbEndpoints(priority=locality.priority)
    message.locality.CopyFrom(base_pb2.Locality(region=locality.region, zone=locality.zone, sub_zone=locality.sub_zone))
    if locality.weight:  # Envoy refuses a weight of 0
        message.load_balancing_weight.value = locality.weight
    message.lb_endpoints.extend(_endpoint(endpoint) for endpoint in locality.endpoints)
    return message


def _endpoint(endpoint: LbEndpointInput) -> endpoint_components_pb2.LbEndpoint:
    message = endpoint_components_pb2.LbEndpoint(health_status=_health(endpoint.health))
    _set_address(message.endpoint.address, endpoint.address, endpoint.port)
    for address in endpoint.other_addresses:
        _set_address(message.endpoint.additional_addresses.add().address, address, endpoint.port)
    message.load_balancing_weight.value = endpoint.weight
    if endpoint.workload:
        message.metadata.filter_metadata["istio"].fields["workload"].string_value = endpoint.workload
    if endpoint.mutual_tls:
        message.metadata.filter_metadata[_SOCKET_MATCH].fields["tlsMode"].string_value = "istio"
    return message


def _health(health: EndpointHealth) -> int:
    match health:
        case EndpointHealth.UNKNOWN:
            status = health_check_pb2.UNKNOWN
        case EndpointHealth.HEALTHY:
            status = health_check_pb2.HEALTHY
        case EndpointHealth.UNHEALTHY:
            status = health_check_pb2.UNHEALTHY
        case EndpointHealth.DRAINING:
            status = health_check_pb2.DRAINING
        case _:
            assert_never(health)
    return int(status)
