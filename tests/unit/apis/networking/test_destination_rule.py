"""Structure of DestinationRule."""

from __future__ import annotations

from meshctl_operator.apis.networking.destination_rule import ClientTlsMode, DestinationRuleSpec, SimpleLb
from tests.support.documents import spec_of


def test_defaults() -> None:
    """TLS without a mode is off, and unset numbers of outlier detection stay unset."""
    spec: DestinationRuleSpec = spec_of(
        "DestinationRule", "{host: a, trafficPolicy: {tls: {}, outlierDetection: {consecutive5xxErrors: 0}}}"
    )
    policy = spec.traffic_policy
    assert policy is not None
    assert policy.tls is not None
    assert policy.tls.mode is ClientTlsMode.DISABLE
    assert policy.outlier_detection is not None
    assert policy.outlier_detection.consecutive_5xx_errors == 0
    assert policy.outlier_detection.consecutive_gateway_errors is None


def test_subset_policy() -> None:
    """A subset has a policy of its own."""
    spec: DestinationRuleSpec = spec_of(
        "DestinationRule", "{host: a, subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]}"
    )
    (subset,) = spec.subsets
    assert subset.labels == {"version": "v1"}
    assert subset.traffic_policy is not None
    assert subset.traffic_policy.load_balancer is not None
    assert subset.traffic_policy.load_balancer.simple is SimpleLb.RANDOM


def test_words_of_python() -> None:
    """Fields named like keywords of Python keep Istio's name in YAML."""
    spec: DestinationRuleSpec = spec_of(
        "DestinationRule",
        "{host: a, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: r1, to: {r1: 100}}]}}}}",
    )
    assert spec.traffic_policy is not None
    assert spec.traffic_policy.load_balancer is not None
    assert spec.traffic_policy.load_balancer.locality_lb_setting is not None
    assert spec.traffic_policy.load_balancer.locality_lb_setting.distribute[0].from_ == "r1"
