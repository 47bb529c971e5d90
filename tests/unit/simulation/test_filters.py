"""Faults and CORS."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.filters import answer_preflight, apply_fault, route_cors, route_fault
from meshctl_operator.simulation.headers import Headers
from meshctl_operator.simulation.requests import Draws
from meshctl_operator.simulation.traces import Answered, Answerer
from tests.support.simulations import manager, route

PREFLIGHT = ((":method", "OPTIONS"), ("access-control-request-method", "PUT"))


def with_filter(name: str, kind: str, **fields: Any) -> Any:
    """Return a route with per-route configuration."""
    return route(typed_per_filter_config={name: {"@type": f"type.googleapis.com/{kind}", **fields}})


def faulty(**fields: Any) -> Any:
    """Return a route with faults."""
    return with_filter("envoy.filters.http.fault", "envoy.extensions.filters.http.fault.v3.HTTPFault", **fields)


def cross_origin(**fields: Any) -> Any:
    """Return a route with a CORS policy."""
    found = with_filter("envoy.filters.http.cors", "envoy.extensions.filters.http.cors.v3.CorsPolicy", **fields)
    found.route.cluster = "c"
    return found


def test_faults_happen_to_their_share() -> None:
    """Delay and abort are drawn each by itself."""
    fault = route_fault(
        manager(),
        faulty(delay={"fixed_delay": "7s", "percentage": {"numerator": 10}}, abort={"http_status": 503, "percentage": {"numerator": 50}}),
    )
    assert apply_fault(fault, Draws()) == (None, None)
    assert apply_fault(fault, Draws(delay=9)) == (Duration.of(seconds=7), None)
    assert apply_fault(fault, Draws(abort=49)) == (None, Answered(503, Answerer.FAULT))


def test_grpc_faults() -> None:
    """A gRPC status comes with 200."""
    fault = route_fault(manager(), faulty(abort={"grpc_status": 14, "percentage": {"numerator": 100}}))
    assert apply_fault(fault, Draws())[1] == Answered(200, Answerer.FAULT, grpc_status=14)


def test_no_filter_no_effect() -> None:
    """Per-route configuration does nothing without its filter in the chain."""
    bare = manager(http_filters=[])
    assert route_fault(bare, faulty(abort={"http_status": 503})) is None
    assert route_cors(bare, cross_origin(), Headers()) is None
    assert route_fault(manager(), route()) is None
    assert apply_fault(None, Draws()) == (None, None)


@pytest.mark.parametrize(
    ("origin", "forwards", "answered"), [("a", True, True), ("b", True, False), ("b", False, True), ("", False, False)]
)
def test_preflights(origin: str, forwards: bool, answered: bool) -> None:  # noqa: FBT001  (a row of the table)
    """A preflight of an allowed origin is answered, one of another origin only where it is not to be forwarded."""
    policy = cross_origin(allow_origin_string_match=[{"exact": "a"}], forward_not_matching_preflights=forwards, allow_credentials=True)
    headers = Headers.of((*PREFLIGHT, *((("origin", origin),) if origin else ())))
    cors = route_cors(manager(), policy, headers)
    assert cors is not None
    assert cors.credentials
    assert (answer_preflight(cors, headers) is not None) is answered
    assert answer_preflight(cors, headers.having(":method", "GET")) is None


def test_only_forwarded_requests_have_cors() -> None:
    """The policy of a redirect or a direct response has no effect, as with a real Envoy."""
    answering = cross_origin(allow_origin_string_match=[{"exact": "a"}])
    answering.direct_response.status = 204
    assert route_cors(manager(), answering, Headers.of((*PREFLIGHT, ("origin", "a")))) is None


@pytest.mark.parametrize("matcher", [{"exact": "*"}, {"prefix": "*"}, {"safe_regex": {"regex": "[*]"}}])
def test_matchers_of_the_star_allow_all(matcher: dict[str, Any]) -> None:
    """A matcher that fits ``*`` allows every origin, as with a real Envoy."""
    cors = route_cors(manager(), cross_origin(allow_origin_string_match=[matcher]), Headers.of((*PREFLIGHT, ("origin", "b"))))
    assert cors is not None
    assert cors.allowed_origin == "b"
