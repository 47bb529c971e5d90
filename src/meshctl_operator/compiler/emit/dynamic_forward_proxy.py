"""The dynamic forward proxy: a cluster that resolves the host of each request, and the cache of names that it shares with its filters."""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import cluster_pb2
from envoy.extensions.clusters.dynamic_forward_proxy.v3 import cluster_pb2 as forward_proxy_pb2
from envoy.extensions.common.dynamic_forward_proxy.v3 import dns_cache_pb2

from meshctl_operator.compiler.inputs.clusters import Discovery, DnsCacheInput

_TYPE: Final = Discovery.DYNAMIC_FORWARD_PROXY.value


def emit_dns_cache(cache: DnsCacheInput) -> dns_cache_pb2.DnsCacheConfig:
    """Return the configuration of a cache. Envoy wants the very same one in every place that names it."""
    message = dns_cache_pb2.DnsCacheConfig(name=cache.name)
    message.dns_lookup_family = cluster_pb2.Cluster.DnsLookupFamily.Value(cache.family.value)
    return message


def emit_forward_proxy_type(cache: DnsCacheInput) -> cluster_pb2.Cluster.CustomClusterType:
    """Return the type of a cluster that resolves the host of each request."""
    config = forward_proxy_pb2.ClusterConfig()
    config.dns_cache_config.CopyFrom(emit_dns_cache(cache))
    kind = cluster_pb2.Cluster.CustomClusterType(name=_TYPE)
    kind.typed_config.Pack(config, deterministic=True)
    return kind
