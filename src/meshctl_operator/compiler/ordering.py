"""Orders that are part of the output, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class HttpFilterName(StrEnum):
    """The HTTP filters that a connection manager may carry, in the order in which a request passes them.

    The order is Istio's: who may enter at all first, then protocol bridges, then statistics (they must see what the client sent), then faults (an injected
    delay must not depend on CORS), then CORS; names are resolved last; the router ends the chain. Filters named ``istio.*`` are not in stock Envoy and left out.
    """

    RBAC = "envoy.filters.http.rbac"
    GRPC_WEB = "envoy.filters.http.grpc_web"
    GRPC_STATS = "envoy.filters.http.grpc_stats"
    FAULT = "envoy.filters.http.fault"
    CORS = "envoy.filters.http.cors"
    DYNAMIC_FORWARD_PROXY = "envoy.filters.http.dynamic_forward_proxy"
    ROUTER = "envoy.filters.http.router"


_POSITION = {name: position for position, name in enumerate(HttpFilterName)}


def http_filter_order(names: Iterable[HttpFilterName]) -> tuple[HttpFilterName, ...]:
    """Return the filters in the order in which a request passes them, each once."""
    return tuple(sorted(set(names), key=_POSITION.__getitem__))
