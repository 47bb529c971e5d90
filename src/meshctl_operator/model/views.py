"""Views: what a set of proxies sees identically. A proxy is projected to narrow keys, so that what does not matter cannot split the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshctl_operator.base.hashing import hash_once
from meshctl_operator.base.labels import Labels
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.model.proxies import NOWHERE, InterceptionMode, IpFamilies, LocalBinding, Locality, ProxyRole


@hash_once
@dataclass(frozen=True, slots=True)
class EndpointView:
    """What decides the order and weight of endpoints: where the proxy stands. ``labels`` are those that some failover goes by.

    ``network_view`` are the only networks whose endpoints it wants, unless it is empty.
    """

    locality: Locality = NOWHERE
    network: str = ""
    cluster_id: str = "Kubernetes"
    node_name: str = ""
    labels: Labels = ()
    network_view: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)

    def sees(self, network: str) -> bool:
        """Tell whether the proxy wants endpoints of a network; those of none are everybody's."""
        return not self.network_view or not network or network in self.network_view


NO_PLACE = EndpointView()
"""Where nothing is known, or nothing matters."""


@hash_once
@dataclass(frozen=True, slots=True)
class OutboundView:
    """What decides outbound clusters, routes and listeners of a sidecar, and the clusters of a gateway.

    ``labels`` holds only labels that some selector or ``sourceLabels`` mentions. ``sidecar`` is the matched Sidecar object.
    ``http_proxy_port`` is 0 where there is none. ``local`` says that this is a proxy of the local mesh: its only outbound listener is
    the HTTP proxy port. ``listener`` narrows the view to what one egress listener of the Sidecar imports; None is all of it.
    ``unprivileged`` proxies cannot bind ports below 1024. ``dns_capture`` says that the proxy answers for automatic addresses of services.
    ``where`` is the place of the proxy as far as clusters that carry their endpoints depend on it. ``lacking`` are filters that the proxy
    was built without.
    """

    role: ProxyRole
    namespace: str
    dns_domain: str
    labels: Labels = ()
    sidecar: ObjectKey | None = None
    interception: InterceptionMode = InterceptionMode.REDIRECT
    http_proxy_port: int = 0
    http10: bool = False
    local: bool = False
    families: IpFamilies = IpFamilies.V4
    listener: int | None = None
    unprivileged: bool = False
    dns_capture: bool = False
    where: EndpointView = NO_PLACE
    lacking: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)


@hash_once
@dataclass(frozen=True, slots=True)
class InboundView:
    """What decides the inbound side of a sidecar: which services select the workload, and where it is bound.

    ``labels`` are all labels of the workload. ``workload`` is its name, for the port names of its containers.
    """

    namespace: str
    workload: str
    labels: Labels
    ips: tuple[str, ...]
    sidecar: ObjectKey | None = None
    interception: InterceptionMode = InterceptionMode.REDIRECT
    http10: bool = False
    local: LocalBinding | None = None
    families: IpFamilies = IpFamilies.V4
    lacking: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)


@hash_once
@dataclass(frozen=True, slots=True)
class GatewayView:
    """What decides listeners and routes of a gateway: ``labels`` are all labels of the workload (Gateway selectors, Service selectors)."""

    namespace: str
    labels: Labels
    unprivileged: bool = False
    ipv6: bool = False
    http10: bool = False
    local: LocalBinding | None = None
    lacking: tuple[str, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class SecretView:
    """What decides which secrets a proxy may have: those of its own namespace."""

    namespace: str
