"""A connected Envoy, as far as configuration depends on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshctl_operator.base.labels import Labels


class ProxyRole(StrEnum):
    """What the proxy is for; the values are the node types of Istio. Ingress and egress gateways are both routers."""

    SIDECAR = "sidecar"
    ROUTER = "router"


class InterceptionMode(StrEnum):
    """How the traffic of the pod gets into the sidecar (node metadata INTERCEPTION_MODE)."""

    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"
    NONE = "NONE"


class IpFamilies(StrEnum):
    """Which families of addresses a proxy has. Both count as IPv4 unless the mesh is dual stack (switch ISTIO_DUAL_STACK)."""

    V4 = "IPv4"
    V6 = "IPv6"
    DUAL = "Dual"

    @classmethod
    def of(cls, ips: tuple[str, ...], *, dual_stack: bool) -> IpFamilies:
        """Return the families of the addresses."""
        v6 = sum(":" in ip for ip in ips)
        if ips and v6 == len(ips):
            return cls.V6
        return cls.DUAL if v6 and dual_stack else cls.V4

    @property
    def wildcard(self) -> str:
        """The address that stands for all; of two families that of IPv4."""
        return "::" if self is IpFamilies.V6 else "0.0.0.0"  # noqa: S104  (listeners take redirected traffic for any address)

    @property
    def loopback(self) -> str:
        """The address of the proxy's own machine; of two families that of IPv4."""
        return "::1" if self is IpFamilies.V6 else "127.0.0.1"


@dataclass(frozen=True, slots=True, order=True)
class Locality:
    """Where a proxy or endpoint stands; empty parts are unknown."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""

    @classmethod
    def parse(cls, text: str) -> Locality:
        """Read ``region/zone/sub_zone`` with later parts optional."""
        return cls(*(text.split("/", 2)))

    def __str__(self) -> str:
        """Return ``region/zone/sub_zone`` without empty parts at the end."""
        return f"{self.region}/{self.zone}/{self.sub_zone}".rstrip("/")


NOWHERE: Final = Locality()
"""The locality of whoever did not say."""


@dataclass(frozen=True, slots=True)
class LocalBinding:
    """How a proxy of the local mesh (``meshctl dev``) is bound, where many proxies share one machine.

    Such a proxy binds ``address`` instead of the wildcard address and sets no SO_REUSEPORT. ``ports`` maps a listen port to the
    one really bound (80 of a gateway to 8080 without privileges); ``app_ports`` maps a sidecar's target port to the port where its application
    listens on 127.0.0.1. Outbound traffic reaches a sidecar through its HTTP proxy port alone.
    """

    address: str
    ports: tuple[tuple[int, int], ...] = ()
    app_ports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Proxy:
    """The facts about one proxy: from its xDS node, completed by the registry, or from ``--proxy`` of the command line.

    ``network_view`` are the networks whose endpoints it wants to see; empty stands for all. ``lacking`` are the filters that we would use and that its Envoy was built without.
    """

    role: ProxyRole
    name: str
    namespace: str
    ips: tuple[str, ...] = ("127.0.0.1",)
    labels: Labels = ()
    service_account: str = ""
    dns_domain: str = ""
    locality: Locality = NOWHERE
    node_name: str = ""
    cluster_id: str = "Kubernetes"
    network: str = ""
    interception: InterceptionMode = InterceptionMode.REDIRECT
    http_proxy_port: int = 0
    unprivileged: bool = False
    http10: bool = False
    local: LocalBinding | None = None
    dns_capture: bool = False
    network_view: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name by which people know the proxy: ``name.namespace``."""
        return f"{self.name}.{self.namespace}"
