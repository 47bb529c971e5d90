"""Tests of ClusterLoadAssignments."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.emit.endpoints import emit_address, emit_endpoints
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, EndpointsInput, LbEndpointInput, LocalityInput
from tests.support.mesh_text import as_json


def test_the_whole_message() -> None:
    """Localities carry weight and priority, endpoints their address, health, weight and telemetry text."""
    endpoints = (
        LbEndpointInput("10.0.0.1", 80, EndpointHealth.HEALTHY, 3, "web;default;web;v1;c"),
        LbEndpointInput("unix:///run/a.sock", 0, EndpointHealth.DRAINING),
    )
    message = emit_endpoints(EndpointsInput("c", (LocalityInput(endpoints, "r1", "z1", "s1", 1),)))
    assert as_json(message) == {
        "cluster_name": "c",
        "endpoints": [
            {
                "locality": {"region": "r1", "zone": "z1", "sub_zone": "s1"},
                "load_balancing_weight": 4,
                "priority": 1,
                "lb_endpoints": [
                    {
                        "endpoint": {"address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}}},
                        "health_status": "HEALTHY",
                        "load_balancing_weight": 3,
                        "metadata": {"filter_metadata": {"istio": {"workload": "web;default;web;v1;c"}}},
                    },
                    {
                        "endpoint": {"address": {"pipe": {"path": "/run/a.sock"}}},
                        "health_status": "DRAINING",
                        "load_balancing_weight": 1,
                    },
                ],
            }
        ],
    }


def test_addresses_of_both_families() -> None:
    """The second address of an endpoint has the same port."""
    endpoint = LbEndpointInput("10.0.0.1", 80, other_addresses=("fd00::1",))
    (locality,) = as_json(emit_endpoints(EndpointsInput("c", (LocalityInput((endpoint,)),))))["endpoints"]
    assert locality["lb_endpoints"][0]["endpoint"] == {
        "address": {"socket_address": {"address": "10.0.0.1", "port_value": 80}},
        "additional_addresses": [{"address": {"socket_address": {"address": "fd00::1", "port_value": 80}}}],
    }


def test_endpoints_that_take_mutual_tls_say_so() -> None:
    """Clusters choose their transport socket by it."""
    endpoint = LbEndpointInput("10.0.0.1", 80, mutual_tls=True)
    (locality,) = as_json(emit_endpoints(EndpointsInput("c", (LocalityInput((endpoint,)),))))["endpoints"]
    assert locality["lb_endpoints"][0]["metadata"] == {"filter_metadata": {"envoy.transport_socket_match": {"tlsMode": "istio"}}}


def test_nothing_is_an_answer() -> None:
    """Without endpoints only the name is sent; an empty locality has no weight, since Envoy refuses 0."""
    assert as_json(emit_endpoints(EndpointsInput("c"))) == {"cluster_name": "c"}
    assert not emit_endpoints(EndpointsInput("c", (LocalityInput(()),))).endpoints[0].HasField("load_balancing_weight")


@pytest.mark.parametrize("health", EndpointHealth)
def test_health_keeps_its_name(health: EndpointHealth) -> None:
    """Envoy's health statuses have our names."""
    message = emit_endpoints(EndpointsInput("c", (LocalityInput((LbEndpointInput("10.0.0.1", 80, health),)),)))
    assert as_json(message.endpoints[0].lb_endpoints[0]).get("health_status", "UNKNOWN") == health.value


def test_abstract_sockets_keep_their_mark() -> None:
    """``unix://@name`` is an abstract socket."""
    assert emit_address("unix://@name", 0).pipe.path == "@name"
