"""Completing the short names of a VirtualService: hosts, destinations and gateways, before anything else looks at it."""

from __future__ import annotations

from typing import TypeVar

from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.networking.virtual_service import (
    HttpMatchRequest,
    HttpMirrorPolicy,
    HttpRoute,
    HttpRouteDestination,
    L4MatchAttributes,
    RouteDestination,
    TcpRoute,
    TlsMatchAttributes,
    TlsRoute,
    VirtualServiceSpec,
)
from meshctl_operator.base.hostname import resolve_short_name
from meshctl_operator.registry.cells import resolve_gateway, resolve_gateways

B = TypeVar("B", HttpMatchRequest, L4MatchAttributes, TlsMatchAttributes)
D = TypeVar("D", HttpRouteDestination, RouteDestination)


def with_full_names(spec: VirtualServiceSpec, namespace: str, domain: str) -> VirtualServiceSpec:
    """Return the spec with complete host and gateway names.

    A host without a dot gets ``.<namespace>.svc.<domain>``, the namespace being the VirtualService's; gateways become ``mesh`` or
    ``namespace/name``. Names with a dot, IP addresses, ``*`` and SNI hosts stay as they are.
    """
    names = _Names(namespace, domain)
    return spec.model_copy(
        update={
            "hosts": tuple(names.host(host) for host in spec.hosts),
            "gateways": resolve_gateways(spec.gateways, namespace) if spec.hosts else (),
            "http": tuple(names.http(rule) for rule in spec.http),
            "tcp": tuple(names.tcp(rule) for rule in spec.tcp),
            "tls": tuple(names.tls(rule) for rule in spec.tls),
        }
    )


class _Names:
    """Completes names for one namespace and cluster domain."""

    def __init__(self, namespace: str, domain: str) -> None:
        self._namespace, self._domain = namespace, domain

    def host(self, host: str) -> str:
        return resolve_short_name(host, self._namespace, self._domain) if host else host

    def http(self, rule: HttpRoute) -> HttpRoute:
        return rule.model_copy(
            update={
                "match": tuple(self.block(block) for block in rule.match),
                "route": tuple(self.routed(item) for item in rule.route),
                "mirror": self.destination(rule.mirror) if rule.mirror is not None else None,
                "mirrors": tuple(self.mirror(mirror) for mirror in rule.mirrors),
            }
        )

    def tcp(self, rule: TcpRoute) -> TcpRoute:
        blocks, route = tuple(self.block(block) for block in rule.match), tuple(self.routed(item) for item in rule.route)
        return rule.model_copy(update={"match": blocks, "route": route})

    def tls(self, rule: TlsRoute) -> TlsRoute:
        blocks, route = tuple(self.block(block) for block in rule.match), tuple(self.routed(item) for item in rule.route)
        return rule.model_copy(update={"match": blocks, "route": route})

    def block(self, block: B) -> B:
        if not block.gateways:
            return block
        return block.model_copy(update={"gateways": tuple(resolve_gateway(name, self._namespace) for name in block.gateways)})

    def routed(self, item: D) -> D:
        return item.model_copy(update={"destination": self.destination(item.destination)})

    def destination(self, destination: Destination) -> Destination:
        return destination.model_copy(update={"host": self.host(destination.host)})

    def mirror(self, mirror: HttpMirrorPolicy) -> HttpMirrorPolicy:
        if mirror.destination is None:
            return mirror
        return mirror.model_copy(update={"destination": self.destination(mirror.destination)})
