"""Endpoints of a cluster, filtered, grouped by locality and ordered by how near they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from meshctl_operator.base.labels import selects
from meshctl_operator.compiler.inputs.endpoints import EndpointHealth, LbEndpointInput, LocalityInput
from meshctl_operator.model.destination_rules import MergedRule
from meshctl_operator.model.endpoints import PERSISTENT_SESSION_LABEL, Endpoint, Health
from meshctl_operator.model.locality_policies import CLUSTER_LABEL, NETWORK_LABEL, LocalityPolicy
from meshctl_operator.model.policies import declared_policy
from meshctl_operator.model.proxies import Locality
from meshctl_operator.model.services import Service, ServicePort, TrafficDistribution
from meshctl_operator.model.views import EndpointView

_CANONICAL_NAMES: Final = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
_FAILOVER_STEPS: Final = 5
_ZONE_AWARE_STEPS: Final = 3
"""How many priorities by locality there are below each one by labels."""
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
    return tuple(Candidate(each, {**dict(each.labels), CLUSTER_LABEL: cluster_id}, _lb_endpoint(each, cluster_id)) for each in ordered)


def usable(found: Iterable[Candidate], service: Service, port: ServicePort, rule: MergedRule | None, subset: str) -> tuple[Candidate, ...]:
    """Return the endpoints that a cluster may use: those of the port and subset that may get traffic.

    Endpoints that are not ready are sent as unhealthy, so that none of them ever gets traffic by panic routing, unless the policy
    wants a minimum of healthy ones: then panic is meant and they are left out. An unknown subset selects everything.
    """
    outlier = declared_policy(rule, subset, port.number).outlier_detection
    prefers_near = service.distribution is not TrafficDistribution.ANY
    with_unhealthy = outlier is None or outlier.min_health_percent <= 0 or prefers_near
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
    return tuple(group.input for group in _groups(found))


def arranged(found: Iterable[Candidate], policy: LocalityPolicy | None, where: EndpointView) -> tuple[LocalityInput, ...]:
    """Return the endpoints grouped by locality, with the weights or priorities that the policy gives them as seen from ``where``."""
    groups = _groups(found)
    if policy is None:
        return tuple(group.input for group in groups)
    if policy.distribute:
        return _distributed([group.input for group in groups], policy, where.locality)
    if not policy.fails_over:
        return tuple(group.input for group in groups)
    if policy.failover_priority:
        groups = [
            part
            for group in groups
            for part in _by_labels(group, policy.failover_priority, {CLUSTER_LABEL: where.cluster_id, **dict(where.labels)})
        ]
        if not policy.failover and policy.zone_aware is None:
            return _without_gaps(groups)
    distance, steps = (_zone_aware_distance, _ZONE_AWARE_STEPS) if policy.zone_aware else (_failover_distance, _FAILOVER_STEPS)
    return _without_gaps(
        [replace(group, priority=group.priority * steps + distance(group.place, where.locality, policy.failover)) for group in groups]
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Endpoints of one locality and priority. Priorities are numbered without gaps in the end."""

    place: Locality
    members: tuple[Candidate, ...]
    priority: int = 0

    @property
    def input(self) -> LocalityInput:
        place = self.place
        return LocalityInput(tuple(each.input for each in self.members), place.region, place.zone, place.sub_zone, self.priority)


def _groups(found: Iterable[Candidate]) -> list[_Group]:
    members: dict[Locality, list[Candidate]] = {}
    for each in found:
        members.setdefault(each.endpoint.locality, []).append(each)
    return [_Group(place, tuple(members[place])) for place in sorted(members)]


# Weights


def _distributed(localities: list[LocalityInput], policy: LocalityPolicy, here: Locality) -> tuple[LocalityInput, ...]:
    """Return the localities with the shares of the first entry for this place; a locality that gets no share loses its endpoints.

    Localities under one pattern split its share in proportion to their own weights, rounded up.
    """
    shares = next((targets for origin, targets in policy.distribute if _is_within(here, origin)), None)
    if shares is None:
        return tuple(localities)
    given: dict[int, int] = {}
    for pattern, weight in sorted(shares, key=lambda share: (-_exactness(share[0]), share[0])):
        reached = [
            index
            for index, each in enumerate(localities)
            if index not in given and _is_within(Locality(each.region, each.zone, each.sub_zone), pattern)
        ]
        total = sum(localities[index].weight for index in reached)
        given.update({index: -(-localities[index].weight * weight // total) for index in reached})
    return tuple(
        replace(each, share=given[index]) if given.get(index) else replace(each, endpoints=(), share=each.weight)
        for index, each in enumerate(localities)
    )


def _is_within(place: Locality, pattern: str) -> bool:
    """Tell whether a place lies in ``region[/zone[/sub_zone]]``; ``*`` and parts that are left out stand for any."""
    wanted = Locality.parse(pattern)
    return wanted.region in {"*", place.region} and wanted.zone in {"", "*", place.zone} and wanted.sub_zone in {"", "*", place.sub_zone}


def _exactness(pattern: str) -> int:
    return sum(part not in {"", "*"} for part in pattern.split("/"))


# Priorities


def _by_labels(group: _Group, entries: tuple[str, ...], own: Mapping[str, str]) -> list[_Group]:
    """Return the group split by how many labels agree with the client, from the first on; ``key=value`` is compared with that value."""
    parts: dict[int, list[Candidate]] = {}
    for each in group.members:
        parts.setdefault(_label_distance(each.labels, entries, own), []).append(each)
    return [_Group(group.place, tuple(parts[distance]), distance) for distance in sorted(parts)]


def _label_distance(labels: Mapping[str, str], entries: tuple[str, ...], own: Mapping[str, str]) -> int:
    """Return how early the labels differ. Another network, where that comes first, counts as one whole list more."""
    count = len(entries)
    other_network = 0
    for index, entry in enumerate(entries):
        key, given, value = entry.partition("=")
        if labels.get(key, "") == (value if given else own.get(key, "")):
            continue
        if index == 0 and key == NETWORK_LABEL:
            other_network = count
            continue
        return other_network + count - index
    return other_network


def _failover_distance(there: Locality, here: Locality, failover: tuple[tuple[str, str], ...]) -> int:
    """Return 0 for the client's own place, 1 for its zone, 2 for its region, 3 for other regions, or those that it fails over to, 4 for the rest."""
    if there.region == here.region:
        if there.zone != here.zone:
            return 2
        return 0 if there.sub_zone == here.sub_zone else 1
    target = next((to for origin, to in failover if origin == here.region), there.region)
    return 3 if there.region == target else 4


def _zone_aware_distance(there: Locality, here: Locality, failover: tuple[tuple[str, str], ...]) -> int:
    """Return 0 for the client's own region, 1 for the one that it fails over to, 2 for the rest: within a region Envoy decides."""
    if there.region == here.region:
        return 0
    return 1 if (here.region, there.region) in failover else 2


def _without_gaps(groups: list[_Group]) -> tuple[LocalityInput, ...]:
    numbers = {priority: number for number, priority in enumerate(sorted({group.priority for group in groups}))}
    return tuple(replace(group, priority=numbers[group.priority]).input for group in groups)


def _lb_endpoint(endpoint: Endpoint, cluster_id: str) -> LbEndpointInput:
    return LbEndpointInput(
        address=endpoint.address,
        port=endpoint.port,
        health=_told_health(endpoint.health),
        weight=endpoint.weight or 1,
        workload=_workload(endpoint, cluster_id),
        other_addresses=endpoint.other_addresses,
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
