"""Rules of ``loadBalancer``, with its locality settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meshctl_operator.apis.networking.destination_rule import ConsistentHash, Failover, LoadBalancer, LocalityLb, Warmup, ZoneAwareLb
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import check_period

MAX_TABLE: Final = 5000011  # Envoy's limit; Istio takes sizes below it only
_FULL: Final = 100
_SUB_ZONE: Final = 3  # parts of a locality that names one
_TOPOLOGY: Final = frozenset({"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"})


def check_load_balancer(balancer: LoadBalancer, path: str, findings: Findings, *, has_outlier_detection: bool) -> None:
    """Check the load balancer of one policy. Failover does nothing without outlier detection, hence the flag."""
    if balancer.consistent_hash is not None:
        _check_consistent_hash(balancer.consistent_hash, f"{path}.consistentHash", findings)
    if balancer.warmup is not None:
        _check_warmup(balancer.warmup, f"{path}.warmup", findings)
    check_period(balancer.warmup_duration_secs, f"{path}.warmupDurationSecs", findings)
    if balancer.locality_lb_setting is not None:
        where = f"{path}.localityLbSetting"
        check_locality_lb(balancer.locality_lb_setting, where, findings, has_outlier_detection=has_outlier_detection)
    if balancer.zone_aware_lb_setting is not None:
        _check_zone_aware(balancer, balancer.zone_aware_lb_setting, f"{path}.zoneAwareLbSetting", findings)


def _check_consistent_hash(settings: ConsistentHash, path: str, findings: Findings) -> None:
    keys = (settings.http_header_name, settings.http_cookie, settings.use_source_ip, settings.http_query_parameter_name)
    if all(key is None for key in keys):
        hint = "give httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName"
        findings.warn(codes.BAD_LOAD_BALANCER, path, "has no key to hash on, so requests are spread at random", hint=hint)
    cookie = settings.http_cookie
    if cookie is not None:
        if not cookie.name:
            findings.error(codes.BAD_LOAD_BALANCER, f"{path}.httpCookie.name", "is required")
        names = set[str]()
        for index, attribute in enumerate(cookie.attributes):
            where = f"{path}.httpCookie.attributes[{index}].name"
            if not attribute.name:
                findings.error(codes.BAD_LOAD_BALANCER, where, "is required")
            elif attribute.name in names:
                findings.error(codes.BAD_LOAD_BALANCER, where, f'"{attribute.name}" is listed twice')
            names.add(attribute.name)
    if settings.minimum_ring_size:
        findings.warn(codes.DEPRECATED, f"{path}.minimumRingSize", "is deprecated", hint="use ringHash.minimumRingSize")
        if settings.ring_hash is not None or settings.maglev is not None:
            message = "is not allowed beside ringHash or maglev"
            findings.error(codes.BAD_LOAD_BALANCER, f"{path}.minimumRingSize", message, hint="remove it")
    if settings.maglev is not None:
        size = settings.maglev.table_size
        if size == 0:
            findings.error(codes.BAD_LOAD_BALANCER, f"{path}.maglev.tableSize", "is required", hint="65537 is Envoy's own")
        elif size >= MAX_TABLE:
            findings.error(codes.BAD_LOAD_BALANCER, f"{path}.maglev.tableSize", f"{size} is too large", hint=f"it is below {MAX_TABLE}")
        elif not is_prime(size):
            findings.error(codes.BAD_LOAD_BALANCER, f"{path}.maglev.tableSize", f"{size} is no prime number", hint="65537 is one")


def is_prime(number: int) -> bool:
    """Tell whether the number is prime. Meant for the sizes of Maglev tables, which are small."""
    if number < 2:  # noqa: PLR2004  (the least prime)
        return False
    divisor = 2
    while divisor * divisor <= number:
        if number % divisor == 0:
            return False
        divisor += 1
    return True


def _check_warmup(warmup: Warmup, path: str, findings: Findings) -> None:
    if warmup.duration is None:
        findings.error(codes.BAD_LOAD_BALANCER, f"{path}.duration", "is required")
    check_period(warmup.duration, f"{path}.duration", findings)
    if warmup.minimum_percent is not None and not 0 <= warmup.minimum_percent <= _FULL:
        findings.error(codes.BAD_PERCENT, f"{path}.minimumPercent", f"{warmup.minimum_percent:g} is no percentage")
    if warmup.aggression is not None and warmup.aggression <= 0:
        findings.error(codes.BAD_LOAD_BALANCER, f"{path}.aggression", f"{warmup.aggression:g} is not above 0", hint="1 is linear")


def check_locality_lb(settings: LocalityLb, path: str, findings: Findings, *, has_outlier_detection: bool) -> None:
    """Check locality load balancing."""
    if settings.distribute and settings.failover:
        findings.error(codes.BAD_LOCALITY, f"{path}.failover", "is not allowed beside distribute", hint="keep one of them")
    sources = []
    for index, entry in enumerate(settings.distribute):
        where = f"{path}.distribute[{index}]"
        sources.append((entry.from_, f"{where}.from"))
        for target, weight in entry.to.items():
            if not 1 <= weight <= _FULL:
                message, hint = f"{weight} is no share", "shares lie between 1 and 100"
                findings.error(codes.BAD_LOCALITY, child(f"{where}.to", target), message, hint=hint)
        total = sum(entry.to.values())
        if total != _FULL:
            findings.error(codes.BAD_LOCALITY, f"{where}.to", f"the shares sum up to {total}", hint="they sum up to 100")
        _check_localities([(target, child(f"{where}.to", target)) for target in entry.to], findings)
    _check_localities(sources, findings)
    _check_failover(settings.failover, settings.failover_priority, path, findings)
    if (settings.failover or settings.failover_priority) and not has_outlier_detection:
        hint = "add outlierDetection, which tells when a locality is down"
        findings.warn(codes.BAD_LOCALITY, path, "has failover that never happens", hint=hint)


def _check_localities(localities: Sequence[tuple[str, str]], findings: Findings) -> None:
    """Report localities that are misspelt, or that an earlier one covers: the order counts, since the first match does."""
    earlier: list[tuple[str, ...]] = []
    for locality, path in localities:
        parts = tuple(locality.split("/", 2))
        if not all(parts) or locality.count("*") > locality.endswith("*"):
            hint = "write region, region/zone or region/zone/subzone, with a star at the end only"
            findings.error(codes.BAD_LOCALITY, path, f'"{locality}" is not a locality', hint=hint)
            continue
        cover = next((other for other in earlier if _covers(other, parts)), None)
        if cover is not None:
            findings.error(codes.BAD_LOCALITY, path, f'"{locality}" overlaps with "{"/".join(cover)}"')
        earlier.append(parts)


def _covers(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    """Tell whether Istio takes the later locality for one that an earlier one covers; a wider one may follow, if it says so by a star."""
    if earlier == ("*",):
        return True
    if earlier[0] != later[0]:
        return False
    if len(later) == 1 or len(earlier) == 1:
        return True
    if earlier[1] == "*" or earlier[1] == later[1]:
        return earlier[1] == "*" or earlier[2:] in {(), ("*",), later[2:]} or len(later) < _SUB_ZONE
    return False


def _check_failover(failover: Sequence[Failover], priority: Sequence[str], path: str, findings: Findings) -> None:
    for index, entry in enumerate(failover):
        where = f"{path}.failover[{index}]"
        for name, region in (("from", entry.from_), ("to", entry.to)):
            if "/" in region or "*" in region:
                findings.error(codes.BAD_LOCALITY, f"{where}.{name}", f'"{region}" is not a region', hint="failover knows regions only")
        if entry.from_ == entry.to:
            findings.error(codes.BAD_LOCALITY, where, f'goes from "{entry.from_}" to itself')
    if failover and priority:
        for index, entry_label in enumerate(priority):
            label = entry_label.partition("=")[0]
            if label in _TOPOLOGY:
                message = f'"{label}" is not allowed beside failover, which decides between localities'
                findings.error(codes.BAD_LOCALITY, f"{path}.failoverPriority[{index}]", message)


def _check_zone_aware(balancer: LoadBalancer, settings: ZoneAwareLb, path: str, findings: Findings) -> None:
    if balancer.locality_lb_setting is not None:
        findings.error(codes.BAD_LOCALITY, path, "is not allowed beside localityLbSetting", hint="keep one of them")
    if settings.min_cluster_size == 0:
        findings.error(codes.BAD_LOCALITY, f"{path}.minClusterSize", "0 is too small", hint="the least is 1")
    _check_failover(settings.failover, (), path, findings)
    for index, entry in enumerate(settings.failover_priority):
        label = entry.partition("=")[0]
        if label in _TOPOLOGY:
            message = f'"{label}" is not allowed: zones already decide'
            findings.error(codes.BAD_LOCALITY, f"{path}.failoverPriority[{index}]", message)
