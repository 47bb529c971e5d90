"""Cluster (``envoy.config.cluster.v3``)."""

from __future__ import annotations

from typing import Final, assert_never

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import config_source_pb2, health_check_pb2
from envoy.extensions.network.dns_resolver.cares.v3 import cares_dns_resolver_pb2

from meshctl_operator.compiler.emit.dynamic_forward_proxy import emit_forward_proxy_type
from meshctl_operator.compiler.emit.endpoints import emit_address, emit_endpoints
from meshctl_operator.compiler.emit.transport_sockets import set_transport_sockets
from meshctl_operator.compiler.emit.upstream_http import HTTP_OPTIONS, emit_http_options
from meshctl_operator.compiler.emit.values import emit_duration
from meshctl_operator.compiler.inputs.clusters import (
    BalancingInput,
    BreakersInput,
    ClusterInput,
    Discovery,
    KeepaliveInput,
    LbPolicy,
    MetadataInput,
    OutlierInput,
)

_NEVER_SECONDS: Final = 9223372035  # the longest that Envoy's clock can add to now; original-destination hosts are then never forgotten
_DNS_JITTER_NANOS: Final = 100_000_000  # spreads the queries of many proxies; Istio's default
_DNS_UDP_QUERIES: Final = 100  # a c-ares channel that lives for ever keeps its first answer of a dying server; Istio's default
_ENFORCED: Final = 100
_AGGRESSION_RUNTIME_KEY: Final = "("  # Envoy wants a key that is not empty; this is Istio's, which names no runtime value
_ISTIO: Final = "istio"


def emit_cluster(cluster: ClusterInput) -> cluster_pb2.Cluster:
    """Return the Cluster."""
    message = cluster_pb2.Cluster(name=cluster.name, alt_stat_name=cluster.alt_stat_name)
    if cluster.dns_cache is not None:
        message.cluster_type.CopyFrom(emit_forward_proxy_type(cluster.dns_cache))
    else:
        message.type = _discovery(cluster.discovery)
    message.connect_timeout.CopyFrom(emit_duration(cluster.connect_timeout))
    if cluster.panic_threshold is not None:
        message.common_lb_config.healthy_panic_threshold.value = cluster.panic_threshold
    if cluster.sticky_sessions:
        statuses = (health_check_pb2.HEALTHY, health_check_pb2.DRAINING, health_check_pb2.UNKNOWN, health_check_pb2.DEGRADED)
        message.common_lb_config.override_host_status.statuses.extend(statuses)
    _set_discovery(message, cluster)
    _set_balancing(message, cluster.balancing)
    if cluster.breakers is not None:
        message.circuit_breakers.thresholds.append(_thresholds(cluster.breakers))
    if cluster.outlier is not None:
        _set_outlier_detection(message.outlier_detection, cluster.outlier)
    if cluster.keepalive is not None:
        _set_keepalive(message, cluster.keepalive)
    if cluster.http is not None:
        message.typed_extension_protocol_options[HTTP_OPTIONS].Pack(emit_http_options(cluster.http), deterministic=True)
    set_transport_sockets(message, cluster)
    if cluster.bind_address:
        message.upstream_bind_config.source_address.CopyFrom(emit_address(cluster.bind_address, 0).socket_address)
    if cluster.extra_bind_address:
        extra = message.upstream_bind_config.extra_source_addresses.add()
        extra.address.CopyFrom(emit_address(cluster.extra_bind_address, 0).socket_address)
    if cluster.buffer_limit is not None:
        message.per_connection_buffer_limit_bytes.value = cluster.buffer_limit
    _set_metadata(message, cluster.metadata)
    return message


def _discovery(discovery: Discovery) -> int:
    match discovery:
        case Discovery.EDS:
            kind = cluster_pb2.Cluster.EDS
        case Discovery.STATIC:
            kind = cluster_pb2.Cluster.STATIC
        case Discovery.STRICT_DNS:
            kind = cluster_pb2.Cluster.STRICT_DNS
        case Discovery.LOGICAL_DNS:
            kind = cluster_pb2.Cluster.LOGICAL_DNS
        case Discovery.ORIGINAL_DST | Discovery.DYNAMIC_FORWARD_PROXY:
            kind = cluster_pb2.Cluster.ORIGINAL_DST
        case _:
            assert_never(discovery)
    return int(kind)


def _set_discovery(message: cluster_pb2.Cluster, cluster: ClusterInput) -> None:
    if cluster.discovery is Discovery.EDS:
        message.eds_cluster_config.service_name = cluster.eds_name
        source = message.eds_cluster_config.eds_config
        source.ads.SetInParent()
        source.initial_fetch_timeout.SetInParent()  # zero: wait for endpoints rather than start without any
        source.resource_api_version = config_source_pb2.V3
    if cluster.load_assignment is not None:
        message.load_assignment.CopyFrom(emit_endpoints(cluster.load_assignment))
    if cluster.dns_refresh is not None:
        message.dns_lookup_family = cluster_pb2.Cluster.DnsLookupFamily.Value(cluster.dns_family.value)
        message.dns_refresh_rate.CopyFrom(emit_duration(cluster.dns_refresh))
        message.dns_jitter.nanos = _DNS_JITTER_NANOS
        message.respect_dns_ttl = True
        resolver = cares_dns_resolver_pb2.CaresDnsResolverConfig()
        resolver.udp_max_queries.value = _DNS_UDP_QUERIES
        message.typed_dns_resolver_config.name = "envoy.network.dns_resolver.cares"
        message.typed_dns_resolver_config.typed_config.Pack(resolver, deterministic=True)
    if cluster.port_override is not None:
        message.original_dst_lb_config.upstream_port_override.value = cluster.port_override
    if cluster.keep_unused_hosts:
        message.cleanup_interval.seconds = _NEVER_SECONDS


def _set_balancing(message: cluster_pb2.Cluster, balancing: BalancingInput) -> None:
    message.lb_policy = _lb_policy(balancing.policy)
    if balancing.locality_weighted:
        message.common_lb_config.locality_weighted_lb_config.SetInParent()
    if (zones := balancing.zone_aware) is not None:
        message.common_lb_config.zone_aware_lb_config.SetInParent()
        if not zones.enabled:
            message.common_lb_config.zone_aware_lb_config.routing_enabled.SetInParent()  # zero per cent
        if zones.min_cluster_size is not None:
            message.common_lb_config.zone_aware_lb_config.min_cluster_size.value = zones.min_cluster_size
    if balancing.ring_size is not None:
        message.ring_hash_lb_config.minimum_ring_size.value = balancing.ring_size
    if balancing.table_size is not None:
        message.maglev_lb_config.table_size.value = balancing.table_size
    if (warmup := balancing.warmup) is not None:
        least_request = balancing.policy is LbPolicy.LEAST_REQUEST
        config = message.least_request_lb_config if least_request else message.round_robin_lb_config
        config.slow_start_config.slow_start_window.CopyFrom(emit_duration(warmup.window))
        if warmup.aggression is not None:
            config.slow_start_config.aggression.default_value = warmup.aggression
            config.slow_start_config.aggression.runtime_key = _AGGRESSION_RUNTIME_KEY
        if warmup.minimum_percent is not None:
            config.slow_start_config.min_weight_percent.value = warmup.minimum_percent


def _lb_policy(policy: LbPolicy) -> int:
    match policy:
        case LbPolicy.ROUND_ROBIN:
            value = cluster_pb2.Cluster.ROUND_ROBIN
        case LbPolicy.LEAST_REQUEST:
            value = cluster_pb2.Cluster.LEAST_REQUEST
        case LbPolicy.RANDOM:
            value = cluster_pb2.Cluster.RANDOM
        case LbPolicy.RING_HASH:
            value = cluster_pb2.Cluster.RING_HASH
        case LbPolicy.MAGLEV:
            value = cluster_pb2.Cluster.MAGLEV
        case LbPolicy.CLUSTER_PROVIDED:
            value = cluster_pb2.Cluster.CLUSTER_PROVIDED
        case _:
            assert_never(policy)
    return int(value)


def _thresholds(breakers: BreakersInput) -> circuit_breaker_pb2.CircuitBreakers.Thresholds:
    message = circuit_breaker_pb2.CircuitBreakers.Thresholds()
    message.max_connections.value = breakers.max_connections
    message.max_pending_requests.value = breakers.max_pending_requests
    message.max_requests.value = breakers.max_requests
    message.max_retries.value = breakers.max_retries
    if (budget := breakers.retry_budget) is not None:
        message.retry_budget.budget_percent.value = budget.percent
        message.retry_budget.min_retry_concurrency.value = budget.min_concurrency
    return message


def _set_outlier_detection(message: outlier_detection_pb2.OutlierDetection, outlier: OutlierInput) -> None:
    """Write what was declared. Ejection by success rate is always off: nothing of Istio's API speaks of it."""
    message.enforcing_success_rate.SetInParent()
    if outlier.consecutive_5xx is not None:
        message.consecutive_5xx.value = outlier.consecutive_5xx
        message.enforcing_consecutive_5xx.value = _ENFORCED if outlier.consecutive_5xx else 0
    if outlier.consecutive_gateway_failure is not None:
        message.consecutive_gateway_failure.value = outlier.consecutive_gateway_failure
        message.enforcing_consecutive_gateway_failure.value = _ENFORCED if outlier.consecutive_gateway_failure else 0
    if outlier.split_local_origin:
        message.split_external_local_origin_errors = True
        message.enforcing_local_origin_success_rate.SetInParent()
    if outlier.consecutive_local_origin_failure is not None:
        message.consecutive_local_origin_failure.value = outlier.consecutive_local_origin_failure
        message.enforcing_consecutive_local_origin_failure.value = _ENFORCED
    if outlier.interval is not None:
        message.interval.CopyFrom(emit_duration(outlier.interval))
    if outlier.base_ejection_time is not None:
        message.base_ejection_time.CopyFrom(emit_duration(outlier.base_ejection_time))
    if outlier.max_ejection_percent is not None:
        message.max_ejection_percent.value = outlier.max_ejection_percent


def _set_keepalive(message: cluster_pb2.Cluster, keepalive: KeepaliveInput) -> None:
    target = message.upstream_connection_options.tcp_keepalive
    target.SetInParent()  # without any value it still switches SO_KEEPALIVE on
    if keepalive.probes is not None:
        target.keepalive_probes.value = keepalive.probes
    if keepalive.time is not None:
        target.keepalive_time.value = keepalive.time
    if keepalive.interval is not None:
        target.keepalive_interval.value = keepalive.interval


def _set_metadata(message: cluster_pb2.Cluster, metadata: MetadataInput) -> None:
    if metadata == MetadataInput():
        return
    fields = message.metadata.filter_metadata[_ISTIO].fields
    for service in metadata.services:
        entry = fields["services"].list_value.values.add().struct_value.fields
        entry["host"].string_value = service.host
        entry["name"].string_value = service.name
        entry["namespace"].string_value = service.namespace
    if metadata.external:
        fields["external"].bool_value = True
    if (rule := metadata.rule) is not None:
        path = f"/apis/networking.istio.io/v1/namespaces/{rule.namespace}/destination-rule/{rule.name}"
        fields["config"].string_value = path
    if metadata.subset:
        fields["subset"].string_value = metadata.subset
    if not metadata.alpn_override:
        fields["alpn_override"].string_value = "false"
