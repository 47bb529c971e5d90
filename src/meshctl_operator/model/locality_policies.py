"""Locality load balancing: which rule holds for the endpoints of a cluster (Istio ``GetLocalityLbSetting``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.networking.destination_rule import LocalityLb, TrafficPolicy, ZoneAwareLb
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.services import Service, TrafficDistribution

NETWORK_LABEL: Final = "topology.istio.io/network"
CLUSTER_LABEL: Final = "topology.istio.io/cluster"
REGION_LABEL: Final = "topology.kubernetes.io/region"
ZONE_LABEL: Final = "topology.kubernetes.io/zone"
SUB_ZONE_LABEL: Final = "topology.istio.io/subzone"
HOSTNAME_LABEL: Final = "kubernetes.io/hostname"

_SAME_ZONE: Final = (NETWORK_LABEL, REGION_LABEL, ZONE_LABEL)
_SAME_NODE: Final = (*_SAME_ZONE, SUB_ZONE_LABEL, HOSTNAME_LABEL)


@dataclass(frozen=True, slots=True)
class ZoneAware:
    """Zone-aware routing. ``min_cluster_size`` None leaves it to Envoy."""

    enabled: bool = True
    min_cluster_size: int | None = None


@dataclass(frozen=True, slots=True)
class LocalityPolicy:
    """How endpoints of several localities share the traffic.

    ``distribute`` holds (from, ((to, weight), ...)), ``failover`` pairs of regions, ``failover_priority`` labels (``key`` or ``key=value``).
    ``fails_over`` says that endpoints get priorities at all: without outlier detection nobody would notice that a locality is down.
    """

    distribute: tuple[tuple[str, tuple[tuple[str, int], ...]], ...] = ()
    failover: tuple[tuple[str, str], ...] = ()
    failover_priority: tuple[str, ...] = ()
    fails_over: bool = False
    zone_aware: ZoneAware | None = None

    @property
    def is_weighted(self) -> bool:
        """Whether localities are picked by their weights rather than endpoints by theirs (``locality_weighted_lb_config``)."""
        explicit = bool(self.failover or self.failover_priority) and self.zone_aware is None
        return bool(self.distribute) or (self.fails_over and explicit)

    @property
    def by_locality(self) -> bool:
        """Whether the locality of the client matters."""
        return bool(self.distribute) or (
            self.fails_over and (not self.failover_priority or bool(self.failover) or self.zone_aware is not None)
        )

    @property
    def label_keys(self) -> tuple[str, ...]:
        """The labels of the client that matter, sorted."""
        if not self.fails_over or self.distribute:
            return ()
        return tuple(sorted({entry for entry in self.failover_priority if "=" not in entry}))


def locality_policy(ctx: Context, policy: TrafficPolicy, service: Service) -> LocalityPolicy | None:
    """Return what holds for a cluster with this policy: the policy's setting, else the service's own preference, else the mesh's.

    None where localities do not matter. A setting that is switched off ends the search.
    """
    detects = policy.outlier_detection is not None
    balancer = policy.load_balancer
    if balancer is not None and balancer.zone_aware_lb_setting is not None:
        return _zone_aware(balancer.zone_aware_lb_setting, fails_over=detects)
    if balancer is not None and balancer.locality_lb_setting is not None:
        return _by_setting(balancer.locality_lb_setting, fails_over=detects)
    if service.distribution is not TrafficDistribution.ANY:
        labels = _SAME_ZONE if service.distribution is TrafficDistribution.SAME_ZONE else _SAME_NODE
        return LocalityPolicy(failover_priority=labels, fails_over=True)
    config = mesh_config(ctx)
    if config.zone_aware_lb_setting is not None:
        return _zone_aware(config.zone_aware_lb_setting, fails_over=detects)
    if config.locality_lb_setting is not None:
        return _by_setting(config.locality_lb_setting, fails_over=detects)
    return LocalityPolicy(fails_over=True) if detects else None


def _by_setting(setting: LocalityLb, *, fails_over: bool) -> LocalityPolicy | None:
    if setting.enabled is False:
        return None
    found = LocalityPolicy(
        distribute=tuple((entry.from_, tuple(sorted(entry.to.items()))) for entry in setting.distribute),
        failover=tuple((entry.from_, entry.to) for entry in setting.failover),
        failover_priority=setting.failover_priority,
        fails_over=fails_over,
    )
    return found if found.fails_over or found.distribute else None


def _zone_aware(setting: ZoneAwareLb, *, fails_over: bool) -> LocalityPolicy:
    return LocalityPolicy(
        failover=tuple((entry.from_, entry.to) for entry in setting.failover),
        failover_priority=setting.failover_priority,
        fails_over=fails_over and setting.enabled is not False,
        zone_aware=ZoneAware(setting.enabled is not False, setting.min_cluster_size or None),
    )
