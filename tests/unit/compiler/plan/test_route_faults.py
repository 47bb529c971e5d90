"""Faults and percentages."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.networking.common import Percent
from meshctl_operator.apis.validation.http_actions import GRPC_STATUS
from meshctl_operator.compiler.inputs.routes import Denominator, FractionInput
from meshctl_operator.compiler.plan.route_faults import plan_percentage
from tests.support.route_mesh import gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"
FILTER = "envoy.filters.http.fault"


def fault(text: str) -> dict[str, Any] | None:
    """Return the fault of a route without its type, None for none."""
    (route,) = gateway_routes(f"[{{fault: {text}, {ROUTE}}}]")
    config = route.get("typed_per_filter_config", {}).get(FILTER)
    return None if config is None else {key: value for key, value in config.items() if key != "@type"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{delay: {fixedDelay: 5s, percentage: {value: 0.1}}}",
            {"delay": {"fixed_delay": "5s", "percentage": {"numerator": 1000, "denominator": "MILLION"}}},
        ),
        ("{delay: {fixedDelay: 5s, percent: 20}}", {"delay": {"fixed_delay": "5s", "percentage": {"numerator": 20}}}),
        ("{delay: {fixedDelay: 5s}}", {"delay": {"fixed_delay": "5s", "percentage": {}}}),
        (
            "{abort: {httpStatus: 503, percentage: {value: 100}}}",
            {"abort": {"http_status": 503, "percentage": {"numerator": 1000000, "denominator": "MILLION"}}},
        ),
        ("{abort: {httpStatus: 503}}", {"abort": {"http_status": 503}}),
        (
            "{abort: {grpcStatus: UNAVAILABLE, percentage: {value: 50}}}",
            {"abort": {"grpc_status": 14, "percentage": {"numerator": 500000, "denominator": "MILLION"}}},
        ),
        ("{}", None),
        ("{delay: {percent: 5}}", None),
        ("{abort: {}}", None),
    ],
)
def test_fault(text: str, expected: dict[str, Any] | None) -> None:
    """Delay and abort with their percentages; nothing usable means no configuration at all."""
    assert fault(text) == expected


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{delay: {exponentialDelay: 1s}}", "delay.exponentialDelay"),
        ("{delay: {fixedDelay: 0s}}", "delay.fixedDelay"),
        ("{abort: {httpStatus: 600}}", "abort.httpStatus"),
        ("{abort: {httpStatus: 199}}", "abort.httpStatus"),
        ("{abort: {grpcStatus: CANCELED}}", "abort.grpcStatus"),
    ],
)
def test_refused_fault(text: str, path: str) -> None:
    """What Envoy would refuse is left out with a finding, and the route is served without it."""
    assert fault(text) is None
    assert shown(gateway_findings(f"[{{fault: {text}, {ROUTE}}}]")) == [("MC2213", f"spec.http[0].fault.{path}")]


@pytest.mark.parametrize(
    ("value", "numerator"), [(0.0, 0), (0.0001, 1), (0.00009, 0), (33.3333, 333333), (100, 1000000), (1000, 1000000), (-1, 0)]
)
def test_percentage(value: float, numerator: int) -> None:
    """A percentage is cut to millionths, and held between none and all."""
    assert plan_percentage(Percent(value=float(value))) == FractionInput(numerator, Denominator.MILLION)


def test_grpc_statuses() -> None:
    """The names are those of gRPC, in the order of their numbers."""
    assert (len(GRPC_STATUS), GRPC_STATUS["OK"], GRPC_STATUS["UNAUTHENTICATED"]) == (17, 0, 16)
