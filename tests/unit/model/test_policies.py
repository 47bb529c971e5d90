"""Tests of effective traffic policies."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.networking.destination_rule import SimpleLb, TrafficPolicy
from meshctl_operator.base.durations import Duration
from meshctl_operator.model.policies import (
    HashCookie,
    HashPolicy,
    consistent_hash,
    declared_policy,
    destination_rule,
    effective_policy,
    subset_names,
    tcp_settings,
)
from meshctl_operator.model.services import service
from tests.support.mesh_text import TextMesh

HOST = "reviews.default.svc.cluster.local"
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}, {name: tcp, port: 90}]}
"""


class Rule:
    """A mesh with one DestinationRule for reviews, whose spec is given."""

    def __init__(self, spec: str, **mesh_config: Any) -> None:
        text = f"---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: r, namespace: default}}\nspec: {{host: reviews, {spec}}}"
        self.mesh = TextMesh(SERVICE + (text if spec else ""), **mesh_config)
        found = self.mesh.evaluate(service, "default", HOST)
        assert found
        self.service = found
        self.rule = self.mesh.evaluate(destination_rule, "default", (), found)

    def policy(self, subset: str = "", port: int = 80) -> TrafficPolicy:
        """Return the effective policy."""
        return self.mesh.evaluate(lambda ctx: effective_policy(ctx, self.rule, subset, port))

    def hash(self, subset: str = "", port: int = 0) -> HashPolicy | None:
        """Return the hash policy."""
        return self.mesh.evaluate(consistent_hash, "default", (), self.service, subset, port)


def balancer(policy: TrafficPolicy) -> SimpleLb | None:
    """Return the simple load balancer of a policy."""
    return policy.load_balancer.simple if policy.load_balancer else None


def test_without_a_rule_nothing_is_set() -> None:
    """No rule means an empty policy and no subsets."""
    bare = Rule("")
    assert bare.policy() == TrafficPolicy()
    assert subset_names(bare.rule) == ()


def test_port_level_settings_replace_the_policy() -> None:
    """For their port they replace everything, what they leave out included; other ports keep the policy."""
    rule = Rule(
        "trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 3},"
        " portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: ROUND_ROBIN}}, {port: {number: 80}, loadBalancer: {simple: RANDOM}}]}"
    )
    assert balancer(rule.policy(port=80)) is SimpleLb.ROUND_ROBIN
    assert rule.policy(port=80).outlier_detection is None
    assert balancer(rule.policy(port=90)) is SimpleLb.RANDOM
    assert rule.policy(port=90).outlier_detection is not None
    assert rule.policy(port=90).port_level_settings == ()


def test_a_subset_overlays_the_policy_block_by_block() -> None:
    """A subset keeps each block that it does not set itself."""
    rule = Rule(
        "trafficPolicy: {loadBalancer: {simple: RANDOM}, outlierDetection: {consecutive5xxErrors: 3}},"
        " subsets: [{name: v1, trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}}, {name: v2}]"
    )
    assert subset_names(rule.rule) == ("v1", "v2")
    assert balancer(rule.policy("v1")) is SimpleLb.ROUND_ROBIN
    assert rule.policy("v1").outlier_detection is not None
    assert rule.policy("v2") == rule.policy()
    assert rule.policy("unknown") == rule.policy()


def test_a_port_level_setting_of_a_subset_inherits_nothing() -> None:
    """Port-level settings of a subset drop the rule's blocks and the mesh's defaults alike, for their port only."""
    rule = Rule(
        "trafficPolicy: {loadBalancer: {simple: RANDOM}},"
        " subsets: [{name: v1, trafficPolicy: {portLevelSettings: [{port: {number: 80}, outlierDetection: {interval: 1s}}]}}]",
        defaultTrafficPolicy={"connectionPool": {"tcp": {"maxConnections": 5}}},
    )
    here, elsewhere = rule.policy("v1", 80), rule.policy("v1", 90)
    assert (here.load_balancer, here.connection_pool) == (None, None)
    assert here.outlier_detection is not None
    assert balancer(elsewhere) is SimpleLb.RANDOM
    assert elsewhere.connection_pool is not None


def test_the_mesh_s_default_fills_pool_and_outlier_detection() -> None:
    """What the rule leaves out comes from the mesh, but for load balancing and TLS; endpoints do not look at it."""
    default = {
        "connectionPool": {"tcp": {"maxConnections": 5}},
        "outlierDetection": {"interval": "1s"},
        "loadBalancer": {"simple": "RANDOM"},
    }
    rule = Rule("trafficPolicy: {outlierDetection: {interval: 9s}}", defaultTrafficPolicy=default)
    policy = rule.policy()
    assert policy.connection_pool
    assert policy.outlier_detection
    assert policy.outlier_detection.interval == Duration.of(seconds=9)
    assert policy.load_balancer is None
    assert declared_policy(rule.rule, "", 80).connection_pool is None


HASHES = (
    "trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: top}},"
    " portLevelSettings: [{port: {number: 80}, loadBalancer: {consistentHash: {httpHeaderName: port}}}]},"
    " subsets: [{name: own, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: subset}},"
    " portLevelSettings: [{port: {number: 80}, loadBalancer: {consistentHash: {httpHeaderName: subset-port}}}]}}, {name: none}]"
)


@pytest.mark.parametrize(
    ("subset", "port", "header"),
    [
        ("own", 80, "subset-port"),
        ("own", 90, "subset"),
        ("own", 0, "subset"),
        ("none", 80, "port"),
        ("none", 0, "top"),
        ("", 80, "port"),
        ("", 90, "top"),
        ("", 0, "top"),
    ],
)
def test_hash_policy_is_the_most_specific_one(subset: str, port: int, header: str) -> None:
    """The subset's for the port, the subset's, the rule's for the port, the rule's; ports count only where the destination names one."""
    assert Rule(HASHES).hash(subset, port) == HashPolicy(header=header)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("useSourceIp: true", HashPolicy(source_ip=True)),
        ("httpQueryParameterName: q", HashPolicy(query_parameter="q")),
        (
            "httpCookie: {name: c, path: /p, ttl: 0s, attributes: [{name: SameSite, value: Lax}]}",
            HashPolicy(cookie=HashCookie("c", "/p", Duration(0), (("SameSite", "Lax"),))),
        ),
        ("httpCookie: {name: c}", HashPolicy(cookie=HashCookie("c"))),
        ("useSourceIp: false", None),
        ("minimumRingSize: 5", None),
    ],
)
def test_kinds_of_hashes(declared: str, expected: HashPolicy | None) -> None:
    """Each way to hash is read; a cookie without lifetime is told apart from a session cookie."""
    assert Rule(f"trafficPolicy: {{loadBalancer: {{consistentHash: {{{declared}}}}}}}").hash() == expected


def test_no_hash_without_a_rule() -> None:
    """Without a rule, or with a simple balancer, nothing is hashed."""
    assert Rule("").hash() is None
    assert Rule("trafficPolicy: {loadBalancer: {simple: RANDOM}}").hash() is None


def test_tcp_settings_come_from_the_top_of_the_rule() -> None:
    """The idle timeout of TCP proxying is read from the top level alone; the longest connection follows the port."""
    rule = Rule(
        "trafficPolicy: {connectionPool: {tcp: {idleTimeout: 5s, maxConnectionDuration: 1h}},"
        " portLevelSettings: [{port: {number: 90}, connectionPool: {tcp: {idleTimeout: 9s, maxConnectionDuration: 2h}}}]}"
    )
    read = [rule.mesh.evaluate(tcp_settings, "default", (), rule.service, port) for port in (80, 90)]
    assert read == [(Duration.of(seconds=5), Duration.of(seconds=3600)), (Duration.of(seconds=5), Duration.of(seconds=7200))]
    bare = Rule("")
    assert bare.mesh.evaluate(tcp_settings, "default", (), bare.service, 80) == (None, None)
