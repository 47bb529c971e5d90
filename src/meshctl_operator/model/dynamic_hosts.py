"""Wildcard hosts that are resolved while a request is there (ServiceEntry of resolution DYNAMIC_DNS)."""

from __future__ import annotations

from collections.abc import Iterable

from meshctl_operator.incremental.context import Context
from meshctl_operator.model.protocols import Protocol
from meshctl_operator.model.scopes import scope
from meshctl_operator.model.services import Resolution, Service, visible_services
from meshctl_operator.model.views import OutboundView

DYNAMIC_PROTOCOLS = frozenset({Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.TLS})
"""What carries the name of its host, so that a proxy can resolve it while the request is there."""


def dynamic_hosts(ctx: Context, view: OutboundView) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the wildcard hosts that a view imports, each with its ports of HTTP, by host (tracked)."""
    return _hosts(ctx.derive(scope, view).services)


def visible_dynamic_hosts(ctx: Context, namespace: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the wildcard hosts that gateways of a namespace see, as ``dynamic_hosts`` (tracked)."""
    return _hosts(ctx.derive(visible_services, namespace))


def _hosts(services: Iterable[Service]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    found = (service for service in services if service.resolution is Resolution.DYNAMIC_DNS)
    return tuple(sorted((service.host, tuple(port.number for port in service.ports if port.protocol.is_http)) for service in found))
