"""Emitting routes, virtual hosts and route configurations."""

from __future__ import annotations

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.emit.routes import emit_route, emit_route_configuration, emit_virtual_host
from meshctl_operator.compiler.inputs.routes import (
    CorsInput,
    DirectResponseInput,
    FaultDelayInput,
    FaultInput,
    ForwardInput,
    RedirectInput,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    VirtualHostInput,
)
from tests.support.mesh_text import as_json

ROUTE = RouteInput(RouteMatchInput(), DirectResponseInput(200))


def test_route_configuration() -> None:
    """Clusters are never checked; ports count only where the Input says so."""
    route = RouteConfigurationInput("x", (), ignore_port_in_host_matching=False, max_direct_response_body=None)
    assert as_json(emit_route_configuration(route)) == {"name": "x", "validate_clusters": False}
    assert as_json(emit_route_configuration(RouteConfigurationInput("x"))) == {
        "name": "x",
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": 1048576,
    }


def test_virtual_host_stands_alone() -> None:
    """A virtual host emitted alone has the bytes that it has inside a route configuration."""
    host = VirtualHostInput("a:80", ("a", "b"), (ROUTE,), require_tls=True)
    alone = emit_virtual_host(host)
    assert as_json(alone)["require_tls"] == "ALL"
    whole = emit_route_configuration(RouteConfigurationInput("x", (host,)))
    assert whole.virtual_hosts[0].SerializeToString(deterministic=True) == alone.SerializeToString(deterministic=True)


def test_attempt_count_may_be_off() -> None:
    """The attempt count is a header for the upstream, which the Input may leave out."""
    assert as_json(emit_virtual_host(VirtualHostInput("a", ("a",), (), attempt_count=False))) == {"name": "a", "domains": ["a"]}


def test_empty_fields_are_left_out() -> None:
    """A plain route has nothing but matcher and action."""
    assert as_json(emit_route(ROUTE)) == {"match": {"prefix": "/"}, "direct_response": {"status": 200}}


def test_filters_of_a_route() -> None:
    """Fault and CORS stand under the names of their filters, and bytes do not depend on the order in which they were set."""
    both = RouteInput(RouteMatchInput(), RedirectInput(), fault=FaultInput(FaultDelayInput(Duration.of(seconds=1))), cors=CorsInput())
    message = emit_route(both)
    assert sorted(message.typed_per_filter_config) == ["envoy.filters.http.cors", "envoy.filters.http.fault"]
    assert message.SerializeToString(deterministic=True) == emit_route(both).SerializeToString(deterministic=True)


def test_metadata_and_decorator() -> None:
    """The VirtualService of a route stands in its metadata, the operation in its decorator."""
    route = RouteInput(RouteMatchInput(), ForwardInput("c"), name="n", config="/x", decorator="d", stat_prefix="s")
    found = as_json(emit_route(route))
    assert (found["name"], found["stat_prefix"], found["decorator"]) == ("n", "s", {"operation": "d"})
    assert found["metadata"] == {"filter_metadata": {"istio": {"config": "/x"}}}
