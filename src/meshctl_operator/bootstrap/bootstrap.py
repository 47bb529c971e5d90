"""The bootstrap of an Envoy that gets everything from a control plane by ADS."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from meshctl_operator.base.hostname import is_ip
from meshctl_operator.bootstrap.listeners import address, static_clusters, static_listeners
from meshctl_operator.bootstrap.nodes import JsonValue, node_cluster, node_id, node_metadata
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.bootstrap.settings import overload_manager, runtime, stats_config

if TYPE_CHECKING:
    from envoy_data_plane.envoy.config.bootstrap.v3 import Admin, Bootstrap, BootstrapDynamicResources
    from envoy_data_plane.envoy.config.cluster.v3 import Cluster
    from envoy_data_plane.envoy.config.core.v3 import Node

XDS_CLUSTER: Final = "xds-grpc"
_HTTP_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT: Final = timedelta(seconds=1)
_KEEPALIVE_INTERVAL: Final = timedelta(seconds=30)
_KEEPALIVE_TIMEOUT: Final = timedelta(seconds=10)
_TCP_KEEPALIVE_SECONDS: Final = 300
_UNLIMITED: Final = 100_000  # requests and connections to the control plane, as in Istio's own bootstrap


def bootstrap(options: BootstrapOptions) -> Bootstrap:
    """Return the bootstrap of the proxy: node, admin address, ADS over the static cluster ``xds-grpc``, runtime and stats settings.

    Resources wait for the control plane without limit (``initial_fetch_timeout: 0s``): half a configuration is worse than none.
    """
    from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap, BootstrapDeferredStatOptions, BootstrapStaticResources

    stats = options.stats
    return Bootstrap(
        node=_node(options),
        static_resources=BootstrapStaticResources(
            clusters=[_xds_cluster(options.xds_host, options.xds_port), *static_clusters(options)], listeners=static_listeners(options)
        ),
        dynamic_resources=_dynamic_resources(options.variant),
        stats_config=stats_config(stats),
        stats_flush_interval=timedelta(seconds=stats.flush_seconds) if stats.flush_seconds else None,
        stats_eviction_interval=timedelta(seconds=stats.eviction_seconds) if stats.eviction_seconds else None,
        deferred_stat_options=BootstrapDeferredStatOptions(enable_deferred_creation_stats=True),
        layered_runtime=runtime(options.runtime),
        admin=_admin(options.admin_address, options.admin_port),
        overload_manager=overload_manager(options.max_connections, options.heap_limit),
    )


def to_dict(message: Bootstrap) -> dict[str, JsonValue]:
    """Return the message in protobuf JSON with the original field names. Whole numbers in the node metadata are written as such."""
    from betterproto2 import Casing

    return cast("dict[str, JsonValue]", _whole_numbers(message.to_dict(casing=Casing.SNAKE)))


def to_json(message: Bootstrap) -> str:
    """Return the message as indented JSON."""
    return json.dumps(to_dict(message), indent=2)


def to_yaml(message: Bootstrap) -> str:
    """Return the message as YAML, in the order of Envoy's fields."""
    import yaml

    text: str = yaml.dump(to_dict(message), sort_keys=False, default_flow_style=False, width=140)
    return text


def _whole_numbers(value: JsonValue) -> JsonValue:
    """Return the value with 8080.0 (a Struct keeps doubles alone) written as 8080."""
    match value:
        case dict():
            return {key: _whole_numbers(item) for key, item in value.items()}
        case list():
            return [_whole_numbers(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _node(options: BootstrapOptions) -> Node:
    from envoy_data_plane.envoy.config.core.v3 import Locality, Node
    from envoy_data_plane.google.protobuf import Struct

    proxy = options.proxy
    where = proxy.locality
    return Node(
        id=node_id(proxy),
        cluster=node_cluster(proxy),
        metadata=Struct.from_dict(node_metadata(proxy, options.metadata)),
        locality=Locality(region=where.region, zone=where.zone, sub_zone=where.sub_zone) if str(where) else None,
    )


def _admin(host: str, port: int) -> Admin:
    from envoy_data_plane.envoy.config.bootstrap.v3 import Admin

    return Admin(address=address(host, port), ignore_global_conn_limit=True)


def _dynamic_resources(variant: XdsVariant) -> BootstrapDynamicResources:
    from envoy_data_plane.envoy.config.bootstrap.v3 import BootstrapDynamicResources
    from envoy_data_plane.envoy.config.core.v3 import (
        AggregatedConfigSource,
        ApiConfigSource,
        ApiConfigSourceApiType,
        ApiVersion,
        ConfigSource,
        GrpcService,
        GrpcServiceEnvoyGrpc,
    )

    def by_ads() -> ConfigSource:
        return ConfigSource(ads=AggregatedConfigSource(), initial_fetch_timeout=timedelta(0), resource_api_version=ApiVersion.V3)

    return BootstrapDynamicResources(
        lds_config=by_ads(),
        cds_config=by_ads(),
        ads_config=ApiConfigSource(
            api_type=ApiConfigSourceApiType[variant.value],
            transport_api_version=ApiVersion.V3,
            set_node_on_first_message_only=True,  # the node message is 61 KB with its list of extensions
            grpc_services=[GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=XDS_CLUSTER))],
        ),
    )


def _xds_cluster(host: str, port: int) -> Cluster:
    """Return the cluster of the control plane: HTTP/2 with pings, so that a dead control plane is noticed behind a silent network."""
    from envoy_data_plane.envoy.config.cluster.v3 import (
        CircuitBreakers,
        CircuitBreakersThresholds,
        Cluster,
        ClusterDiscoveryType,
        UpstreamConnectionOptions,
    )
    from envoy_data_plane.envoy.config.core.v3 import Http2ProtocolOptions, KeepaliveSettings, RoutingPriority, TcpKeepalive
    from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
    from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions, HttpProtocolOptionsExplicitHttpConfig
    from envoy_data_plane.google.protobuf import Any

    pings = KeepaliveSettings(interval=_KEEPALIVE_INTERVAL, timeout=_KEEPALIVE_TIMEOUT)
    http2 = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions(connection_keepalive=pings))
    )
    endpoint = LbEndpoint(endpoint=Endpoint(address=address(host, port)))
    return Cluster(
        name=XDS_CLUSTER,
        type=ClusterDiscoveryType.STATIC if is_ip(host) else ClusterDiscoveryType.STRICT_DNS,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=ClusterLoadAssignment(cluster_name=XDS_CLUSTER, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]),
        circuit_breakers=CircuitBreakers(
            thresholds=[
                CircuitBreakersThresholds(
                    priority=priority, max_connections=_UNLIMITED, max_pending_requests=_UNLIMITED, max_requests=_UNLIMITED
                )
                for priority in (RoutingPriority.DEFAULT, RoutingPriority.HIGH)
            ]
        ),
        upstream_connection_options=UpstreamConnectionOptions(tcp_keepalive=TcpKeepalive(keepalive_time=_TCP_KEEPALIVE_SECONDS)),
        typed_extension_protocol_options={_HTTP_OPTIONS: Any.pack(http2)},
    )
