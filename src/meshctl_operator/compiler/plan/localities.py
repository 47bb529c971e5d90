"""Endpoints of a cluster, filtered, grouped by locality and ordered by how near they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from meshctl_operator.base.labels import selects
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, LbEndpointInput, LocalityInput
from meshctl_operator.model.destination_rules import MergedRule
from meshctl_operator.model.endpoints import PERSISTENT_SESSION_LABEL, Endpoint, Health
from meshctl_operator.model.policies import declared_policy
from meshctl_operator.model.proxies import Locality
from meshctl_operator.model.services import Service, ServicePort

_CANONICAL_NAMES: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_CANONICAL_REVISIONS: Final = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint of a service beside what is emitted of it, made once for all subsets that may select it."""

    endpoint: Endpoint
    labels: Mapping[str, str]
    input: LbEndpointInput


def candidates(endpoints: Iterable[Endpoint], cluster_id: str) -> tuple[Candidate, ...]:
    """Return the endpoints in order of address and port, as candidates for clusters."""
    ordered = sorted(endpoints, key=lambda each: (each.address, each.port))
    return tuple(Candidate(each, dict(each.labels), _lb_endpoint(each, cluster_id)) for each in ordered)


def usable(found: Iterable[Candidate], service: Service, port: ServicePort, rule: MergedRule | None, subset: str) -> tuple[Candidate, ...]:
    """Return the endpoints that a cluster may use: those of the port and subset that may get traffic.

    Endpoints that are not ready are sent as unhealthy, so that none of them ever gets traffic by panic routing, unless the policy
    wants a minimum of healthy ones: then panic is meant and they are left out. An unknown subset selects everything.
    """
    outlier = declared_policy(rule, subset, port.number).outlier_detection
    with_unhealthy = outlier is None or outlier.min_health_percent <= 0
    with_draining = any(name == PERSISTENT_SESSION_LABEL and value for name, value in service.labels)
    declared = rule.subset(subset) if rule and subset else None
    wanted = declared.labels if declared else {}
    return tuple(
        each
        for each in found
        if each.endpoint.port_name == port.name
        and _is_served(each.endpoint.health, with_unhealthy=with_unhealthy, with_draining=with_draining)
        and (not wanted or selects(wanted, each.labels))
    )


def _is_served(health: Health, *, with_unhealthy: bool, with_draining: bool) -> bool:
    match health:
        case Health.UNKNOWN | Health.HEALTHY:
            return True
        case Health.UNHEALTHY:
            return with_unhealthy
        case Health.DRAINING:
            return with_draining
        case Health.TERMINATING:
            return False
        case _:
            assert_never(health)


def by_locality(found: Iterable[Candidate]) -> tuple[LocalityInput, ...]:
    """Return the endpoints grouped by locality, localities in order, endpoints as they come."""
    groups: dict[Locality, list[LbEndpointInput]] = {}
    for each in found:
        groups.setdefault(each.endpoint.locality, []).append(each.input)
    return tuple(
        LocalityInput(endpoints=tuple(groups[place]), region=place.region, zone=place.zone, sub_zone=place.sub_zone)
        for place in sorted(groups)
    )


def with_failover(localities: tuple[LocalityInput, ...], here: Locality) -> tuple[LocalityInput, ...]:
    """Return the localities with priorities: the proxy's own first, then its zone, its region, the rest; numbered without gaps."""
    distances = [_distance(locality, here) for locality in localities]
    priorities = {distance: priority for priority, distance in enumerate(sorted(set(distances)))}
    return tuple(replace(locality, priority=priorities[distance]) for locality, distance in zip(localities, distances, strict=True))


def _distance(there: LocalityInput, here: Locality) -> int:
    if there.region != here.region:
        return 3
    if there.zone != here.zone:
        return 2
    return 0 if there.sub_zone == here.sub_zone else 1


def _lb_endpoint(endpoint: Endpoint, cluster_id: str) -> LbEndpointInput:
    return LbEndpointInput(
        address=endpoint.address,
        port=endpoint.port,
        health=_told_health(endpoint.health),
        weight=endpoint.weight or 1,
        workload=_workload(endpoint, cluster_id),
    )


def _told_health(health: Health) -> EndpointHealth:
    match health:
        case Health.HEALTHY:
            return EndpointHealth.HEALTHY
        case Health.UNHEALTHY | Health.TERMINATING:
            return EndpointHealth.UNHEALTHY
        case Health.DRAINING:
            return EndpointHealth.DRAINING
        case Health.UNKNOWN:
            return EndpointHealth.UNKNOWN
        case _:
            assert_never(health)


def _workload(endpoint: Endpoint, cluster_id: str) -> str:
    """Return Istio's telemetry text: workload, namespace, canonical service, its revision unless it is ``latest``, cluster."""
    if not endpoint.workload:
        return ""
    labels = dict(endpoint.labels)
    service = next((labels[label] for label in _CANONICAL_NAMES if labels.get(label)), endpoint.workload)
    revision = next((labels[label] for label in _CANONICAL_REVISIONS if labels.get(label)), "")
    return ";".join((endpoint.workload, endpoint.namespace, service, "" if revision == "latest" else revision, cluster_id))
