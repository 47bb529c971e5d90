"""Which virtual host a request belongs to (Envoy ``RouteMatcher``)."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2, route_pb2

from meshctl_operator.simulation.connection_managers import split_port
from meshctl_operator.simulation.texts import ascii_lower


def select_virtual_host(route: route_pb2.RouteConfiguration, authority: str) -> tuple[route_components_pb2.VirtualHost, str] | None:
    """Return the virtual host of an authority with the domain that covers it, or None.

    An exact domain beats wildcards at its front, these beat wildcards at its end, the longest first, and ``*`` takes the rest. Case never
    counts; the port does, unless the route configuration ignores it.
    """
    name = ascii_lower(split_port(authority)[0] if route.ignore_port_in_host_matching else authority)
    best: tuple[tuple[int, int], route_components_pb2.VirtualHost, str] | None = None
    for host in route.virtual_hosts:
        for domain in host.domains:
            rank = _rank(domain.lower(), name)
            if rank is not None and (best is None or rank > best[0]):
                best = rank, host, domain
    return None if best is None else best[1:]


def _rank(domain: str, name: str) -> tuple[int, int] | None:
    """Return how well a domain covers a name, the better the greater; None where it does not. A wildcard stands for at least one letter."""
    if domain == "*":
        return 0, 0
    if domain.startswith("*"):
        return (2, len(domain)) if len(name) >= len(domain) and name.endswith(domain[1:]) else None
    if domain.endswith("*"):
        return (1, len(domain)) if len(name) >= len(domain) and name.startswith(domain[:-1]) else None
    return (3, 0) if domain == name else None
