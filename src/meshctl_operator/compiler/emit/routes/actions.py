"""Emit what a route does: forward, redirect or answer directly."""

from __future__ import annotations

from typing import Any, assert_never

from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.retry.priority.previous_priorities.v3 import previous_priorities_config_pb2

from meshctl_operator.compiler.emit.routes.headers import add_header_operations
from meshctl_operator.compiler.emit.values import emit_duration, emit_fraction, emit_regex
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    ForwardInput,
    HashCookieInput,
    HashHeaderInput,
    HashPolicyInput,
    HashQueryInput,
    HashSourceIpInput,
    MirrorInput,
    RedirectInput,
    RegexRewriteInput,
    RetryInput,
    WeightedClusterInput,
)

_HOST_SELECTION_ATTEMPTS = 5  # how often Envoy picks again when the host was tried before; Istio's number
_PRIORITY_UPDATE_FREQUENCY = 2  # tries before the next locality is chosen; Istio's number


def emit_forward(forward: ForwardInput) -> route_components_pb2.RouteAction:
    """Return ``RouteAction``."""
    message = route_components_pb2.RouteAction(
        host_rewrite_literal=forward.host_rewrite or None,
        append_x_forwarded_host=forward.forwarded_host,
        request_mirror_policies=[_mirror(mirror) for mirror in forward.mirrors],
        hash_policy=[_hash_policy(policy) for policy in forward.hash_policies],
    )
    if isinstance(forward.clusters, str):
        message.cluster = forward.clusters
    else:
        message.weighted_clusters.clusters.extend(_weighted(cluster) for cluster in forward.clusters)
    if forward.timeout is not None:
        message.timeout.CopyFrom(emit_duration(forward.timeout))
    if forward.grpc_timeout is not None:
        message.max_grpc_timeout.CopyFrom(emit_duration(forward.grpc_timeout))
    if forward.stream_duration is not None:
        message.max_stream_duration.max_stream_duration.CopyFrom(emit_duration(forward.stream_duration))
        message.max_stream_duration.grpc_timeout_header_max.CopyFrom(emit_duration(forward.stream_duration))
    if isinstance(forward.rewrite, RegexRewriteInput):
        message.regex_rewrite.pattern.CopyFrom(emit_regex(forward.rewrite.pattern))
        message.regex_rewrite.substitution = forward.rewrite.substitution
    elif forward.rewrite:
        message.prefix_rewrite = forward.rewrite
    if forward.retry is not None:
        message.retry_policy.CopyFrom(emit_retry(forward.retry))
    return message


def emit_retry(retry: RetryInput) -> route_components_pb2.RetryPolicy:
    """Return ``RetryPolicy``; its predicates and priorities carry the typed configuration without which Envoy refuses them."""
    message = route_components_pb2.RetryPolicy(
        retry_on=retry.retry_on,
        retriable_status_codes=retry.status_codes,
        host_selection_retry_max_attempts=_HOST_SELECTION_ATTEMPTS,
    )
    message.num_retries.value = retry.num_retries
    if retry.per_try_timeout is not None:
        message.per_try_timeout.CopyFrom(emit_duration(retry.per_try_timeout))
    if retry.back_off is not None:
        message.retry_back_off.base_interval.CopyFrom(emit_duration(retry.back_off))
    if retry.previous_hosts:
        predicate = message.retry_host_predicate.add(name="envoy.retry_host_predicates.previous_hosts")
        predicate.typed_config.Pack(previous_hosts_pb2.PreviousHostsPredicate(), deterministic=True)
    if retry.previous_priorities:
        message.retry_priority.name = "envoy.retry_priorities.previous_priorities"
        config = previous_priorities_config_pb2.PreviousPrioritiesConfig(update_frequency=_PRIORITY_UPDATE_FREQUENCY)
        message.retry_priority.typed_config.Pack(config, deterministic=True)
    return message


def emit_redirect(redirect: RedirectInput) -> route_components_pb2.RedirectAction:
    """Return ``RedirectAction``."""
    message = route_components_pb2.RedirectAction(
        response_code=redirect.code.value, host_redirect=redirect.host, port_redirect=redirect.port
    )
    if redirect.prefix_rewrite:
        message.prefix_rewrite = redirect.prefix_rewrite
    else:
        message.path_redirect = redirect.path
    if redirect.scheme:
        message.scheme_redirect = redirect.scheme
    return message


def emit_direct_response(response: DirectResponseInput) -> route_components_pb2.DirectResponseAction:
    """Return ``DirectResponseAction``."""
    message = route_components_pb2.DirectResponseAction(status=response.status)
    if isinstance(response.body, bytes):
        message.body.inline_bytes = response.body
    elif response.body is not None:
        message.body.inline_string = response.body
    return message


def _weighted(cluster: WeightedClusterInput) -> Any:  # noqa: ANN401  (protobuf messages carry no types)
    message = route_components_pb2.WeightedCluster.ClusterWeight(name=cluster.name, host_rewrite_literal=cluster.host_rewrite or None)
    message.weight.value = cluster.weight
    add_header_operations(message, cluster.headers)
    return message


def _mirror(mirror: MirrorInput) -> Any:  # noqa: ANN401  (protobuf messages carry no types)
    # A mirrored request is no sample of its own, and services of the mesh would refuse the host name with "-shadow" behind it.
    message = route_components_pb2.RouteAction.RequestMirrorPolicy(cluster=mirror.cluster, disable_shadow_host_suffix_append=True)
    message.runtime_fraction.default_value.CopyFrom(emit_fraction(mirror.fraction))
    message.trace_sampled.value = False
    return message


def _hash_policy(policy: HashPolicyInput) -> Any:  # noqa: ANN401  (protobuf messages carry no types)
    message = route_components_pb2.RouteAction.HashPolicy()
    match policy:
        case HashHeaderInput():
            message.header.header_name = policy.name
        case HashCookieInput():
            message.cookie.name = policy.name
            message.cookie.path = policy.path
            for name, value in policy.attributes:
                message.cookie.attributes.add(name=name, value=value)
            if policy.ttl is not None:
                message.cookie.ttl.CopyFrom(emit_duration(policy.ttl))
        case HashQueryInput():
            message.query_parameter.name = policy.name
        case HashSourceIpInput():
            message.connection_properties.source_ip = True
        case _:
            assert_never(policy)
    return message
