"""Rules of load balancers."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.validation.load_balancing import is_prime
from tests.support.documents import errors_of, warnings_of


def balancing(settings: str) -> str:
    """Return the spec of a DestinationRule with this load balancer."""
    return f"{{host: a, trafficPolicy: {{loadBalancer: {{{settings}}}}}}}"


ACCEPTED = {
    "simple": "simple: ROUND_ROBIN",
    "header": "consistentHash: {httpHeaderName: x-user}",
    "cookie": "consistentHash: {httpCookie: {name: c, ttl: 0s, path: /, attributes: [{name: SameSite, value: Lax}]}}",
    "ring": "consistentHash: {useSourceIp: true, ringHash: {minimumRingSize: 2048}}",
    "maglev": "consistentHash: {httpQueryParameterName: q, maglev: {tableSize: 65537}}",
    "warm-up": "simple: LEAST_REQUEST, warmup: {duration: 30s, minimumPercent: 0, aggression: 0.5}",
    "old warm-up": "warmupDurationSecs: 30s",
    "distribution": "localityLbSetting: {distribute: [{from: 'r1/z1/*', to: {'r1/z1/*': 80, 'r2/*': 20}}, {from: 'r2/*', to: {'*': 100}}]}",
    "failover": "localityLbSetting: {failover: [{from: r1, to: r2}]}",
    "priorities": "localityLbSetting: {failoverPriority: [topology.kubernetes.io/region, version=v1]}",
    "zones": "zoneAwareLbSetting: {minClusterSize: 1}",
}
REJECTED = {
    "simple and hash": ("simple: RANDOM, consistentHash: {httpHeaderName: a}", "MC1008", ""),
    "two keys": ("consistentHash: {httpHeaderName: a, useSourceIp: true}", "MC1008", ".consistentHash"),
    "two algorithms": ("consistentHash: {httpHeaderName: a, ringHash: {}, maglev: {}}", "MC1008", ".consistentHash"),
    "cookie without a name": ("consistentHash: {httpCookie: {ttl: 0s}}", "MC1302", ".consistentHash.httpCookie.name"),
    "attribute without a name": (
        "consistentHash: {httpCookie: {name: a, attributes: [{value: b}]}}",
        "MC1302",
        ".consistentHash.httpCookie.attributes[0].name",
    ),
    "attribute twice": (
        "consistentHash: {httpCookie: {name: a, attributes: [{name: b}, {name: b}]}}",
        "MC1302",
        ".consistentHash.httpCookie.attributes[1].name",
    ),
    "table without a size": ("consistentHash: {httpHeaderName: a, maglev: {}}", "MC1302", ".consistentHash.maglev.tableSize"),
    "table of no prime": ("consistentHash: {httpHeaderName: a, maglev: {tableSize: 65536}}", "MC1302", ".consistentHash.maglev.tableSize"),
    "table too large": ("consistentHash: {httpHeaderName: a, maglev: {tableSize: 5000011}}", "MC1302", ".consistentHash.maglev.tableSize"),
    "two ring sizes": (
        "consistentHash: {httpHeaderName: a, ringHash: {}, minimumRingSize: 5}",
        "MC1302",
        ".consistentHash.minimumRingSize",
    ),
    "warm-up without a duration": ("warmup: {}", "MC1302", ".warmup.duration"),
    "warm-up of 0": ("warmup: {duration: 0s}", "MC1022", ".warmup.duration"),
    "warm-up percent": ("warmup: {duration: 1s, minimumPercent: 101}", "MC1029", ".warmup.minimumPercent"),
    "warm-up aggression": ("warmup: {duration: 1s, aggression: 0}", "MC1302", ".warmup.aggression"),
    "old warm-up of 0": ("warmupDurationSecs: 0s", "MC1022", ".warmupDurationSecs"),
    "shares below 100": (
        "localityLbSetting: {distribute: [{from: r1, to: {r1: 80}}]}",
        "MC1307",
        ".localityLbSetting.distribute[0].to",
    ),
    "share of 0": (
        "localityLbSetting: {distribute: [{from: r1, to: {r1: 100, r2: 0}}]}",
        "MC1307",
        ".localityLbSetting.distribute[0].to.r2",
    ),
    "star inside": (
        "localityLbSetting: {distribute: [{from: 'r*/z', to: {r1: 100}}]}",
        "MC1307",
        ".localityLbSetting.distribute[0].from",
    ),
    "overlapping sources": (
        "localityLbSetting: {distribute: [{from: 'r1/*', to: {r1: 100}}, {from: r1/z1, to: {r1: 100}}]}",
        "MC1307",
        ".localityLbSetting.distribute[1].from",
    ),
    "overlapping targets": (
        "localityLbSetting: {distribute: [{from: r1, to: {'r1/*': 50, r1/z1: 50}}]}",
        "MC1307",
        '.localityLbSetting.distribute[0].to["r1/z1"]',
    ),
    "distribution and failover": (
        "localityLbSetting: {distribute: [{from: r1, to: {r1: 100}}], failover: [{from: r1, to: r2}]}",
        "MC1307",
        ".localityLbSetting.failover",
    ),
    "failover to itself": ("localityLbSetting: {failover: [{from: r1, to: r1}]}", "MC1307", ".localityLbSetting.failover[0]"),
    "failover of a zone": ("localityLbSetting: {failover: [{from: r1/z1, to: r2}]}", "MC1307", ".localityLbSetting.failover[0].from"),
    "failover and region priority": (
        "localityLbSetting: {failover: [{from: r1, to: r2}], failoverPriority: [topology.kubernetes.io/region]}",
        "MC1307",
        ".localityLbSetting.failoverPriority[0]",
    ),
    "zones and localities": ("zoneAwareLbSetting: {}, localityLbSetting: {}", "MC1307", ".zoneAwareLbSetting"),
    "cluster size of 0": ("zoneAwareLbSetting: {minClusterSize: 0}", "MC1307", ".zoneAwareLbSetting.minClusterSize"),
    "zone priority": (
        "zoneAwareLbSetting: {failoverPriority: [topology.kubernetes.io/zone]}",
        "MC1307",
        ".zoneAwareLbSetting.failoverPriority[0]",
    ),
}


@pytest.mark.parametrize("settings", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(settings: str) -> None:
    """What the API server and Istio's admission accept, we accept."""
    assert errors_of("DestinationRule", balancing(settings)) == []


@pytest.mark.parametrize(("settings", "code", "path"), REJECTED.values(), ids=REJECTED)
def test_rejected(settings: str, code: str, path: str) -> None:
    """Each mistake gives one error, at the field that is wrong."""
    assert errors_of("DestinationRule", balancing(settings)) == [(code, f"spec.trafficPolicy.loadBalancer{path}")]


@pytest.mark.parametrize(
    ("settings", "code", "path"),
    [
        ("consistentHash: {}", "MC1302", ".consistentHash"),
        ("consistentHash: {httpHeaderName: a, minimumRingSize: 5}", "MC1030", ".consistentHash.minimumRingSize"),
        ("localityLbSetting: {failover: [{from: r1, to: r2}]}", "MC1307", ".localityLbSetting"),
    ],
    ids=["no key", "old ring size", "failover without outlier detection"],
)
def test_warned(settings: str, code: str, path: str) -> None:
    """What does less than it seems is accepted with a warning."""
    assert (code, f"spec.trafficPolicy.loadBalancer{path}") in warnings_of("DestinationRule", balancing(settings))


def test_failover_with_outlier_detection() -> None:
    """Failover beside outlier detection is fine."""
    spec = "{host: a, trafficPolicy: {outlierDetection: {}, loadBalancer: {localityLbSetting: {failover: [{from: r1, to: r2}]}}}}"
    assert warnings_of("DestinationRule", spec) == []


def test_primes() -> None:
    """The test for primes agrees with the definition."""
    assert [number for number in range(30) if is_prime(number)] == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]
    assert is_prime(5000011)
