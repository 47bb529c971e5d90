"""What HTTP filters of the chain do on a route: the fault and the CORS filter answer requests by themselves."""

from __future__ import annotations

from typing import Final

from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.cors.v3 import cors_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.connection_managers import Manager
from meshctl_operator.simulation.headers import METHOD, Headers
from meshctl_operator.simulation.requests import Draws
from meshctl_operator.simulation.texts import describe_matcher, matches_text
from meshctl_operator.simulation.traces import Answered, Answerer, Cors, Fault, Share
from meshctl_operator.simulation.values import read_duration, read_share

_FAULT: Final = "envoy.filters.http.fault"
_CORS: Final = "envoy.filters.http.cors"
_OK: Final = 200
_NEVER: Final = Share(0, 100)


def route_fault(manager: Manager, route: route_components_pb2.Route) -> Fault | None:
    """Return the faults of a route, None without any or without the filter."""
    config = fault_pb2.HTTPFault()
    if not _has(manager, _FAULT) or not _unpack(route, _FAULT, config):
        return None
    abort = config.abort
    return Fault(
        delay=read_duration(config.delay.fixed_delay) if config.delay.HasField("fixed_delay") else None,
        delay_share=read_share(config.delay.percentage) if config.HasField("delay") else None,
        abort_status=abort.http_status if abort.WhichOneof("error_type") == "http_status" else None,
        abort_grpc_status=abort.grpc_status if abort.WhichOneof("error_type") == "grpc_status" else None,
        abort_share=read_share(abort.percentage) if config.HasField("abort") else None,
    )


def apply_fault(fault: Fault | None, draws: Draws) -> tuple[Duration | None, Answered | None]:
    """Return the delay that a request gets, and the answer with which it is aborted."""
    if fault is None:
        return None, None
    delay = fault.delay if (fault.delay_share or _NEVER).contains(draws.delay) else None
    if not (fault.abort_share or _NEVER).contains(draws.abort):
        return delay, None
    if fault.abort_status is not None:
        return delay, Answered(fault.abort_status, Answerer.FAULT)
    if fault.abort_grpc_status is not None:
        return delay, Answered(_OK, Answerer.FAULT, grpc_status=fault.abort_grpc_status)
    return delay, None


def route_cors(manager: Manager, route: route_components_pb2.Route, headers: Headers) -> Cors | None:
    """Return the CORS policy of a route, and whether it allows the origin of the request; None without any or without the filter.

    Envoy applies it to routes that forward, never to redirects and direct responses.
    """
    policy = cors_pb2.CorsPolicy()
    if not route.HasField("route") or not _has(manager, _CORS) or not _unpack(route, _CORS, policy):
        return None
    origin = headers.get("origin")
    # A matcher that fits the text "*" allows every origin, whatever kind of matcher it is.
    allowed = origin and any(matches_text(matcher, "*") or matches_text(matcher, origin) for matcher in policy.allow_origin_string_match)
    forwards = policy.forward_not_matching_preflights
    return Cors(
        origins=tuple(describe_matcher(matcher) for matcher in policy.allow_origin_string_match),
        methods=policy.allow_methods,
        allow_headers=policy.allow_headers,
        expose_headers=policy.expose_headers,
        max_age=policy.max_age,
        credentials=policy.allow_credentials.value,
        forwards_unmatched_preflights=forwards.value or not policy.HasField("forward_not_matching_preflights"),
        allowed_origin=origin if origin and allowed else "",
    )


def answer_preflight(cors: Cors | None, headers: Headers) -> Answered | None:
    """Return the answer of the CORS filter to a preflight, None where the request goes on."""
    if cors is None or not headers.text("origin"):
        return None
    preflight = headers.text(METHOD) == "OPTIONS" and bool(headers.text("access-control-request-method"))
    if preflight and (cors.allowed_origin or not cors.forwards_unmatched_preflights):
        return Answered(_OK, Answerer.CORS)
    return None


def _unpack(route: route_components_pb2.Route, name: str, config: fault_pb2.HTTPFault | cors_pb2.CorsPolicy) -> bool:
    """Fill the message with what the route has for a filter; a lookup in the map itself would add to the route."""
    return name in route.typed_per_filter_config and bool(route.typed_per_filter_config[name].Unpack(config))


def _has(manager: Manager, name: str) -> bool:
    return any(entry.name == name and not entry.disabled for entry in manager.http_filters)
