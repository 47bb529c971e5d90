"""Tests of Clusters."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.emit.clusters import emit_cluster
from meshctl_operator.compiler.inputs.clusters import (
    BalancingInput,
    BreakersInput,
    ClusterInput,
    Discovery,
    DnsFamily,
    HttpInput,
    KeepaliveInput,
    LbPolicy,
    MetadataInput,
    OutlierInput,
    ProxyHeader,
    RetryBudgetInput,
    ServiceInfo,
    UpstreamTlsInput,
    WarmupInput,
)
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput, LbEndpointInput, LocalityInput
from tests.support.mesh_text import as_json

ONE = Duration.of(seconds=1)


def emitted(discovery: Discovery = Discovery.EDS, policy: LbPolicy = LbPolicy.LEAST_REQUEST, **facts: Any) -> dict[str, Any]:
    """Return a cluster as JSON."""
    facts.setdefault("balancing", BalancingInput(policy))
    facts.setdefault("breakers", None)
    return as_json(emit_cluster(ClusterInput("c", discovery, connect_timeout=ONE, **facts)))


def test_as_little_as_possible() -> None:
    """What is not set is not written, so that equal clusters have equal bytes."""
    assert emitted(Discovery.STATIC, LbPolicy.ROUND_ROBIN) == {"name": "c", "connect_timeout": "1s", "type": "STATIC"}


@pytest.mark.parametrize("discovery", sorted(set(Discovery) - {Discovery.DYNAMIC_FORWARD_PROXY}))
def test_discovery_keeps_its_name(discovery: Discovery) -> None:
    """Envoy's types of cluster have our names."""
    message = emit_cluster(ClusterInput("c", discovery, BalancingInput(LbPolicy.RANDOM), ONE))
    assert type(message).DiscoveryType.Name(message.type) == discovery.value


@pytest.mark.parametrize("policy", LbPolicy)
def test_balancing_keeps_its_name(policy: LbPolicy) -> None:
    """Envoy's balancers have our names."""
    message = emit_cluster(ClusterInput("c", Discovery.EDS, BalancingInput(policy), ONE))
    assert type(message).LbPolicy.Name(message.lb_policy) == policy.value


def test_dns() -> None:
    """A DNS cluster carries its endpoints, respects the TTL of answers and looks for IPv4 unless told otherwise."""
    endpoints = EndpointsInput("c", (LocalityInput((LbEndpointInput("a.example.com", 80),)),))
    found = emitted(Discovery.STRICT_DNS, load_assignment=endpoints, dns_refresh=ONE)
    assert (found["dns_lookup_family"], found["dns_refresh_rate"], found["dns_jitter"], found["respect_dns_ttl"]) == (
        "V4_ONLY",
        "1s",
        "0.100s",
        True,
    )
    assert found["typed_dns_resolver_config"]["typed_config"]["udp_max_queries"] == 100
    assert (
        found["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"] == "a.example.com"
    )
    both = emitted(Discovery.LOGICAL_DNS, load_assignment=endpoints, dns_refresh=ONE, dns_family=DnsFamily.ALL)
    assert both["dns_lookup_family"] == "ALL"


def test_original_destination() -> None:
    """The port may be replaced, the source address bound, and hosts kept for good."""
    found = emitted(Discovery.ORIGINAL_DST, LbPolicy.CLUSTER_PROVIDED, port_override=8080, bind_address="127.0.0.6", keep_unused_hosts=True)
    assert found["original_dst_lb_config"] == {"upstream_port_override": 8080}
    assert found["upstream_bind_config"] == {"source_address": {"address": "127.0.0.6", "port_value": 0}}
    assert found["cleanup_interval"] == "9223372035s"


def test_common_load_balancing() -> None:
    """A panic threshold of 0 is written, since Envoy's default is 50; sticky sessions accept draining endpoints."""
    assert "common_lb_config" not in emitted()
    assert emitted(panic_threshold=0)["common_lb_config"] == {"healthy_panic_threshold": {}}
    statuses = emitted(panic_threshold=40, sticky_sessions=True)["common_lb_config"]
    assert statuses["healthy_panic_threshold"] == {"value": 40.0}
    assert statuses["override_host_status"] == {"statuses": ["HEALTHY", "DRAINING", "UNKNOWN", "DEGRADED"]}


def test_hashing() -> None:
    """Ring and table sizes go to their balancers."""
    assert emitted(balancing=BalancingInput(LbPolicy.RING_HASH, ring_size=9))["ring_hash_lb_config"] == {"minimum_ring_size": "9"}
    assert emitted(balancing=BalancingInput(LbPolicy.MAGLEV, table_size=13))["maglev_lb_config"] == {"table_size": "13"}


@pytest.mark.parametrize(
    ("policy", "config"), [(LbPolicy.LEAST_REQUEST, "least_request_lb_config"), (LbPolicy.ROUND_ROBIN, "round_robin_lb_config")]
)
def test_warm_up(policy: LbPolicy, config: str) -> None:
    """Slow start is part of the balancer's own settings."""
    found = emitted(balancing=BalancingInput(policy, warmup=WarmupInput(ONE, 0, 1.5)))
    assert found[config]["slow_start_config"] == {
        "slow_start_window": "1s",
        "aggression": {"default_value": 1.5, "runtime_key": "("},
        "min_weight_percent": {},
    }
    assert emitted(balancing=BalancingInput(policy, warmup=WarmupInput(ONE)))[config]["slow_start_config"] == {"slow_start_window": "1s"}


def test_breakers() -> None:
    """One threshold of the default priority holds all limits."""
    limits = {"max_connections": 1, "max_pending_requests": 2, "max_requests": 3, "max_retries": 4}
    assert emitted(breakers=BreakersInput(1, 2, 3, 4))["circuit_breakers"] == {"thresholds": [limits]}


def test_retry_budget() -> None:
    """A retry budget stands beside the limits."""
    limits = emitted(breakers=BreakersInput(retry_budget=RetryBudgetInput(12.5, 4)))["circuit_breakers"]["thresholds"][0]
    assert limits["retry_budget"] == {"budget_percent": {"value": 12.5}, "min_retry_concurrency": 4}


def test_proxy_header() -> None:
    """The header stands around TLS, where there is TLS."""
    plain = emitted(proxy_header=ProxyHeader.V1)["transport_socket"]["typed_config"]
    assert plain["transport_socket"]["name"] == "envoy.transport_sockets.raw_buffer"
    secured = emitted(proxy_header=ProxyHeader.V2, tls=UpstreamTlsInput())["transport_socket"]["typed_config"]
    assert (secured["config"], secured["transport_socket"]["name"]) == ({"version": "V2"}, "envoy.transport_sockets.tls")


@pytest.mark.parametrize(
    ("outlier", "expected"),
    [
        (OutlierInput(), {}),
        (OutlierInput(consecutive_5xx=0), {"consecutive_5xx": 0, "enforcing_consecutive_5xx": 0}),
        (OutlierInput(consecutive_5xx=7), {"consecutive_5xx": 7, "enforcing_consecutive_5xx": 100}),
        (
            OutlierInput(consecutive_gateway_failure=3),
            {"consecutive_gateway_failure": 3, "enforcing_consecutive_gateway_failure": 100},
        ),
        (
            OutlierInput(consecutive_gateway_failure=0),
            {"consecutive_gateway_failure": 0, "enforcing_consecutive_gateway_failure": 0},
        ),
        (
            OutlierInput(consecutive_local_origin_failure=2, split_local_origin=True),
            {
                "split_external_local_origin_errors": True,
                "enforcing_local_origin_success_rate": 0,
                "consecutive_local_origin_failure": 2,
                "enforcing_consecutive_local_origin_failure": 100,
            },
        ),
        (
            OutlierInput(interval=ONE, base_ejection_time=ONE, max_ejection_percent=100),
            {"interval": "1s", "base_ejection_time": "1s", "max_ejection_percent": 100},
        ),
    ],
)
def test_outlier_detection(outlier: OutlierInput, expected: dict[str, Any]) -> None:
    """Success rates never eject; a count of 0 is written as never enforced."""
    assert emitted(outlier=outlier)["outlier_detection"] == {"enforcing_success_rate": 0, **expected}


def test_keepalive() -> None:
    """An empty keepalive still switches it on."""
    assert emitted(keepalive=KeepaliveInput())["upstream_connection_options"] == {"tcp_keepalive": {}}
    assert emitted(keepalive=KeepaliveInput(1, 2, 3))["upstream_connection_options"]["tcp_keepalive"] == {
        "keepalive_probes": 1,
        "keepalive_time": 2,
        "keepalive_interval": 3,
    }


def test_http_and_tls_are_attached() -> None:
    """HTTP options stand under their type's name, TLS is the transport socket."""
    found = emitted(http=HttpInput(), tls=UpstreamTlsInput("x"))
    assert list(found["typed_extension_protocol_options"]) == ["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
    assert found["transport_socket"]["name"] == "envoy.transport_sockets.tls"


def test_metadata() -> None:
    """Istio's metadata names services, rule and subset; nothing to say means no metadata."""
    assert "metadata" not in emitted()
    metadata = MetadataInput(
        (ServiceInfo("a.b", "a", "n"),), external=True, rule=ObjectKey(Kind.DESTINATION_RULE, "n", "r"), subset="v1", alpn_override=False
    )
    assert emitted(metadata=metadata)["metadata"]["filter_metadata"]["istio"] == {
        "services": [{"host": "a.b", "name": "a", "namespace": "n"}],
        "external": True,
        "config": "/apis/networking.istio.io/v1/namespaces/n/destination-rule/r",
        "subset": "v1",
        "alpn_override": "false",
    }
