"""The facts of one ClusterLoadAssignment."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EndpointHealth(StrEnum):
    """Health that is told to Envoy (``core.v3.HealthStatus``)."""

    UNKNOWN = "UNKNOWN"
    HEALTHY = "HEALTHY"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"


@dataclass(frozen=True, slots=True)
class LbEndpointInput:
    """One endpoint. ``address`` is an IP, a host name (DNS clusters) or ``unix://`` and a path, with port 0 then.

    ``other_addresses`` are tried where the first one does not answer. With ``mutual_tls`` a cluster
    that speaks it where it is taken speaks it to this one. ``workload`` is Istio's telemetry text ``workload;namespace;canonical name;canonical revision;cluster``, empty where unknown.
    """

    address: str
    port: int
    health: EndpointHealth = EndpointHealth.UNKNOWN
    weight: int = 1
    workload: str = ""
    other_addresses: tuple[str, ...] = ()
    mutual_tls: bool = False


@dataclass(frozen=True, slots=True)
class LocalityInput:
    """The endpoints of one locality and priority; unknown parts of the place are empty. ``share`` is set where a rule gives the weight."""

    endpoints: tuple[LbEndpointInput, ...]
    region: str = ""
    zone: str = ""
    sub_zone: str = ""
    priority: int = 0
    share: int | None = None

    @property
    def weight(self) -> int:
        """The weight of the locality: its share, else the sum of its endpoints' weights, as far as Envoy can count."""
        if self.share is not None:
            return self.share
        return min(sum(endpoint.weight for endpoint in self.endpoints), 2**32 - 1)


@dataclass(frozen=True, slots=True)
class EndpointsInput:
    """All endpoints of one cluster, by locality. Without any it still is a valid answer: Envoy waits for one."""

    name: str
    localities: tuple[LocalityInput, ...] = ()
