"""Tests of turning traffic policies into facts of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.networking.destination_rule import (
    ConnectionPool,
    H2UpgradePolicy,
    LoadBalancer,
    OutlierDetection,
    TcpKeepalive,
)
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.clusters import (
    UNLIMITED,
    BalancingInput,
    BreakersInput,
    Http2Input,
    HttpInput,
    KeepaliveInput,
    LbPolicy,
    OutlierInput,
    UpstreamHttp,
    WarmupInput,
    ZoneAwareInput,
)
from meshctl_operator.compiler.plan import cluster_policies as policies
from meshctl_operator.model.locality_policies import LocalityPolicy, ZoneAware
from meshctl_operator.model.services import Protocol

RULE = ObjectKey(Kind.DESTINATION_RULE, "default", "rule")
DEFAULT = Duration.of(seconds=10)


@pytest.fixture
def checks() -> policies.Checks:
    """Collects findings about one rule."""
    return policies.Checks(RULE)


def pool(**fields: Any) -> ConnectionPool:
    """Return a connection pool."""
    return ConnectionPool.model_validate(fields)


def seconds(value: float) -> Duration:
    """Return a duration."""
    return Duration.of(seconds=value)


def test_breakers_are_lifted_unless_set() -> None:
    """Unset and 0 mean no limit; the HTTP limits hold for both versions."""
    assert policies.plan_breakers(None) == BreakersInput(UNLIMITED, UNLIMITED, UNLIMITED, UNLIMITED)
    declared = pool(tcp={"maxConnections": 1}, http={"http1MaxPendingRequests": 2, "http2MaxRequests": 3, "maxRetries": 0})
    assert policies.plan_breakers(declared) == BreakersInput(1, 2, 3, UNLIMITED)


def test_connect_timeout(checks: policies.Checks) -> None:
    """The policy's, else the mesh's; one that is not longer than nothing is told and left out."""
    assert policies.plan_connect_timeout(None, DEFAULT, checks) == DEFAULT
    assert policies.plan_connect_timeout(pool(tcp={"connectTimeout": "250ms"}), DEFAULT, checks) == seconds(0.25)
    assert checks.found == []
    assert policies.plan_connect_timeout(pool(tcp={"connectTimeout": "0s"}), DEFAULT, checks) == DEFAULT
    (finding,) = checks.found
    assert (finding.code, finding.subject) == ("MC2314", RULE)
    assert "connectTimeout 0s" in finding.message


@pytest.mark.parametrize(
    ("default", "own", "expected"),
    [
        (None, None, None),
        (None, {}, KeepaliveInput()),
        ({"probes": 3, "time": "60s"}, None, KeepaliveInput(3, 60)),
        ({"probes": 3, "time": "60s"}, {"time": "30s", "interval": "1500ms"}, KeepaliveInput(3, 30, 1)),
        (None, {"interval": "500ms"}, KeepaliveInput()),
    ],
)
def test_keepalive(default: dict[str, Any] | None, own: dict[str, Any] | None, expected: KeepaliveInput | None) -> None:
    """Each value is the policy's, else the mesh's, in whole seconds; an empty block switches keepalive on."""
    mesh = None if default is None else TcpKeepalive.model_validate(default)
    declared = None if own is None else pool(tcp={"tcpKeepalive": own})
    assert policies.plan_keepalive(mesh, declared) == expected


NEVER, ALWAYS = H2UpgradePolicy.DO_NOT_UPGRADE, H2UpgradePolicy.UPGRADE


@pytest.mark.parametrize(
    ("declared", "http", "mesh", "sniffs", "expected"),
    [
        (Protocol.HTTP, None, NEVER, True, None),
        (Protocol.GRPC, None, NEVER, True, UpstreamHttp.HTTP2),
        (Protocol.UNSUPPORTED, None, NEVER, True, UpstreamHttp.AS_DOWNSTREAM),
        (Protocol.UNSUPPORTED, None, NEVER, False, None),
        (Protocol.TCP, None, NEVER, True, None),
        (Protocol.HTTP, None, ALWAYS, True, UpstreamHttp.HTTP2),
        (Protocol.TCP, None, ALWAYS, True, None),
        (Protocol.HTTP, {"h2UpgradePolicy": "DO_NOT_UPGRADE"}, ALWAYS, True, None),
        (Protocol.TCP, {"h2UpgradePolicy": "UPGRADE"}, NEVER, True, UpstreamHttp.HTTP2),
        (Protocol.GRPC, {"useClientProtocol": True}, NEVER, False, UpstreamHttp.AS_DOWNSTREAM),
        (Protocol.HTTP, {"useClientProtocol": True}, ALWAYS, True, UpstreamHttp.AS_DOWNSTREAM),
    ],
)
def test_which_http_is_spoken(
    declared: Protocol,
    http: dict[str, Any] | None,
    mesh: H2UpgradePolicy,
    sniffs: bool,  # noqa: FBT001  (a column of the table)
    expected: UpstreamHttp | None,
) -> None:
    """The client's protocol beats an upgrade; an upgrade of the rule holds for every port, the mesh's for HTTP ports alone."""
    assert policies.plan_protocol(declared, pool(http=http) if http else None, mesh, sniffs=sniffs) is expected


def test_nothing_chosen_needs_no_http_options(checks: policies.Checks) -> None:
    """HTTP options are written only where something is set."""
    assert policies.plan_http(None, None, None, checks) is None
    assert policies.plan_http(None, pool(tcp={"maxConnections": 1}), None, checks) is None
    assert policies.plan_http(UpstreamHttp.HTTP2, None, None, checks) == HttpInput(UpstreamHttp.HTTP2)


def test_http_timeouts_and_limits(checks: policies.Checks) -> None:
    """The idle timeout of HTTP beats that of TCP; streams and pings are for HTTP/2 alone."""
    both = pool(tcp={"idleTimeout": "1s", "maxConnectionDuration": "1h"}, http={"idleTimeout": "2s", "maxRequestsPerConnection": 4})
    assert policies.plan_http(None, both, None, checks) == HttpInput(
        idle_timeout=seconds(2), max_connection_duration=seconds(3600), max_requests_per_connection=4
    )
    assert policies.plan_http(None, pool(tcp={"idleTimeout": "1s"}), None, checks) == HttpInput(idle_timeout=seconds(1))
    http2 = pool(http={"maxConcurrentStreams": 9, "http2KeepAlive": {"interval": "3s", "timeout": "1s"}})
    assert policies.plan_http(None, http2, None, checks) is None
    assert policies.plan_http(UpstreamHttp.HTTP2, http2, None, checks) == HttpInput(
        UpstreamHttp.HTTP2, Http2Input(9, seconds(3), seconds(1))
    )


def test_error_codes(checks: policies.Checks) -> None:
    """Statuses that count as errors are kept once each; what is no status is told and left out."""
    outlier = OutlierDetection.model_validate({"outlierDetectionHttpErrorCodes": [503, 500, 503, 999]})
    found = policies.plan_http(None, None, outlier, checks)
    assert found == HttpInput(error_codes=(503, 500))
    assert len(checks.found) == 1


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({}, OutlierInput()),
        ({"consecutiveErrors": 5}, OutlierInput()),
        ({"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 3}, OutlierInput(0, 3)),
        ({"consecutiveLocalOriginFailures": 3}, OutlierInput()),
        (
            {"splitExternalLocalOriginErrors": True, "consecutiveLocalOriginFailures": 3},
            OutlierInput(consecutive_local_origin_failure=3, split_local_origin=True),
        ),
        (
            {"interval": "1s", "baseEjectionTime": "2s", "maxEjectionPercent": 50},
            OutlierInput(interval=seconds(1), base_ejection_time=seconds(2), max_ejection_percent=50),
        ),
        ({"maxEjectionPercent": 0}, OutlierInput()),
    ],
)
def test_outlier_detection(declared: dict[str, Any], expected: OutlierInput, checks: policies.Checks) -> None:
    """Set values are kept (0 switches an error count off), deprecated ones ignored, local origin needs the split."""
    assert policies.plan_outlier(OutlierDetection.model_validate(declared), checks) == expected
    assert checks.found == []


def test_no_outlier_detection(checks: policies.Checks) -> None:
    """Without the block nothing is ejected, and panic routing is off."""
    assert policies.plan_outlier(None, checks) is None
    assert policies.plan_panic_threshold(None, checks) == 0
    assert policies.plan_panic_threshold(OutlierDetection(min_health_percent=400), checks) == 0
    assert len(checks.found) == 1


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (None, BalancingInput(LbPolicy.LEAST_REQUEST)),
        ({}, BalancingInput(LbPolicy.LEAST_REQUEST)),
        ({"simple": "UNSPECIFIED"}, BalancingInput(LbPolicy.LEAST_REQUEST)),
        ({"simple": "LEAST_CONN"}, BalancingInput(LbPolicy.LEAST_REQUEST)),
        ({"simple": "PASSTHROUGH"}, BalancingInput(LbPolicy.LEAST_REQUEST)),
        ({"simple": "RANDOM", "warmup": {"duration": "5s"}}, BalancingInput(LbPolicy.RANDOM)),
        ({"simple": "ROUND_ROBIN", "warmupDurationSecs": "5s"}, BalancingInput(LbPolicy.ROUND_ROBIN, warmup=WarmupInput(seconds(5)))),
        (
            {"warmup": {"duration": "5s", "minimumPercent": 20.0, "aggression": 2.0}, "warmupDurationSecs": "9s"},
            BalancingInput(LbPolicy.LEAST_REQUEST, warmup=WarmupInput(seconds(5), 20.0, 2.0)),
        ),
        ({"consistentHash": {"httpHeaderName": "x"}}, BalancingInput(LbPolicy.RING_HASH, ring_size=1024)),
        ({"consistentHash": {"httpHeaderName": "x", "minimumRingSize": 7}}, BalancingInput(LbPolicy.RING_HASH, ring_size=7)),
        ({"consistentHash": {"httpHeaderName": "x", "ringHash": {}}}, BalancingInput(LbPolicy.RING_HASH)),
        ({"consistentHash": {"httpHeaderName": "x", "ringHash": {"minimumRingSize": 9}}}, BalancingInput(LbPolicy.RING_HASH, ring_size=9)),
        ({"consistentHash": {"useSourceIp": True, "maglev": {"tableSize": 13}}}, BalancingInput(LbPolicy.MAGLEV, table_size=13)),
    ],
)
def test_balancing(declared: dict[str, Any] | None, expected: BalancingInput, checks: policies.Checks) -> None:
    """LEAST_REQUEST is the default; a bare consistent hash has a ring of 1024 at least; warm-up is for two balancers only."""
    balancer = None if declared is None else LoadBalancer.model_validate(declared)
    assert policies.plan_balancing(balancer, checks) == expected
    assert checks.found == []


@pytest.mark.parametrize(
    ("declared", "expected", "told"),
    [
        ({"consistentHash": {"minimumRingSize": 8388609}}, BalancingInput(LbPolicy.RING_HASH), "minimumRingSize 8388609"),
        ({"consistentHash": {"maglev": {"tableSize": 10}}}, BalancingInput(LbPolicy.MAGLEV), "must be a prime number"),
        ({"consistentHash": {"maglev": {"tableSize": 5000113}}}, BalancingInput(LbPolicy.MAGLEV), "tableSize 5000113"),
        ({"warmup": {"duration": "0s"}}, BalancingInput(LbPolicy.LEAST_REQUEST), "warmup.duration 0s"),
        (
            {"warmup": {"duration": "1s", "minimumPercent": 101.0}},
            BalancingInput(LbPolicy.LEAST_REQUEST, warmup=WarmupInput(seconds(1))),
            "warmup.minimumPercent 101.0",
        ),
        (
            {"warmup": {"duration": "1s", "aggression": 0.0}},
            BalancingInput(LbPolicy.LEAST_REQUEST, warmup=WarmupInput(seconds(1))),
            "warmup.aggression 0.0",
        ),
    ],
)
def test_what_envoy_refuses_is_left_out(declared: dict[str, Any], expected: BalancingInput, told: str, checks: policies.Checks) -> None:
    """A value that Envoy would refuse costs only itself, and is told."""
    assert policies.plan_balancing(LoadBalancer.model_validate(declared), checks) == expected
    (finding,) = checks.found
    assert told in finding.message


def test_passthrough_is_no_hash() -> None:
    """PASSTHROUGH counts only as simple balancer."""
    assert policies.is_passthrough(LoadBalancer.model_validate({"simple": "PASSTHROUGH"}))
    assert not policies.is_passthrough(LoadBalancer.model_validate({"consistentHash": {}}))
    assert not policies.is_passthrough(None)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, BalancingInput(LbPolicy.RANDOM)),
        (LocalityPolicy(fails_over=True), BalancingInput(LbPolicy.RANDOM)),
        (LocalityPolicy(fails_over=True, failover=(("a", "b"),)), BalancingInput(LbPolicy.RANDOM, locality_weighted=True)),
        (LocalityPolicy(failover=(("a", "b"),)), BalancingInput(LbPolicy.RANDOM)),
        (LocalityPolicy(distribute=(("a", (("b", 100),)),)), BalancingInput(LbPolicy.RANDOM, locality_weighted=True)),
        (LocalityPolicy(zone_aware=ZoneAware(min_cluster_size=3)), BalancingInput(LbPolicy.RANDOM, zone_aware=ZoneAwareInput(True, 3))),  # noqa: FBT003  (the fields in order)
    ],
)
def test_localities(policy: LocalityPolicy | None, expected: BalancingInput) -> None:
    """Envoy is told of localities only where their weights or zones decide."""
    assert policies.with_localities(BalancingInput(LbPolicy.RANDOM), policy) == expected
