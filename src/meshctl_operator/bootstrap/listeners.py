"""What a proxy in a pod answers by itself: readiness, metrics for Prometheus, and probes in the name of the applications beside it.

There is no agent beside a stock Envoy, so the kubelet and Prometheus ask Envoy. These listeners are not under the limits that overload
sets: a proxy that is too busy to say so would be taken for dead.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from meshctl_operator.bootstrap.options import AppProbe, BootstrapOptions

if TYPE_CHECKING:
    from envoy_data_plane.envoy.config.cluster.v3 import Cluster
    from envoy_data_plane.envoy.config.core.v3 import Address, TransportSocket
    from envoy_data_plane.envoy.config.listener.v3 import Listener
    from envoy_data_plane.envoy.config.route.v3 import Route
    from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

ADMIN_CLUSTER: Final = "agent"  # the name under which Istio's dashboards know what answers for readiness
PROMETHEUS_CLUSTER: Final = "prometheus_stats"
READY_PATH: Final = "/healthz/ready"
PROMETHEUS_PATH: Final = "/stats/prometheus"
_ADMIN_CONNECT_TIMEOUT: Final = timedelta(milliseconds=250)
_PROBE_CONNECT_TIMEOUT: Final = timedelta(seconds=1)
_LEAST_TO_COMPRESS: Final = 1024  # bytes


def address(host: str, port: int) -> Address:
    """Return the address of a socket."""
    from envoy_data_plane.envoy.config.core.v3 import Address, SocketAddress

    return Address(socket_address=SocketAddress(address=host, port_value=port))


def static_clusters(options: BootstrapOptions) -> list[Cluster]:
    """Return what the listeners of this module need: the admin interface, and one cluster for each port that is probed."""
    found = []
    if options.prometheus_port:
        found.append(_cluster(PROMETHEUS_CLUSTER, options.admin_address, options.admin_port))
    if options.status_port:
        found.append(_cluster(ADMIN_CLUSTER, options.admin_address, options.admin_port))
    probed = dict.fromkeys((probe.port, probe.tls) for probe in options.probes)
    return [*found, *(_probe_cluster(options, port, tls=tls) for port, tls in probed)]


def static_listeners(options: BootstrapOptions) -> list[Listener]:
    """Return the listeners that the options ask for."""
    found = []
    if options.prometheus_port:
        filters = _compressors() if options.compress_stats else []
        routes = [_prefix_route(PROMETHEUS_PATH, PROMETHEUS_CLUSTER, PROMETHEUS_PATH)]
        found.append(_listener(options, options.prometheus_port, "stats", routes, filters))
    if options.status_port:
        found.append(_listener(options, options.status_port, "agent", [_prefix_route(READY_PATH, ADMIN_CLUSTER, "/ready")], []))
    if options.probes:
        found.append(_listener(options, options.probes_port, "probes", [_probe_route(probe) for probe in options.probes], []))
    return found


def _listener(options: BootstrapOptions, port: int, name: str, routes: list[Route], filters: list[HttpFilter]) -> Listener:
    from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
    from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost
    from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
    from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
        HttpConnectionManager,
        HttpConnectionManagerCodecType,
        HttpFilter,
    )
    from envoy_data_plane.google.protobuf import Any

    manager = HttpConnectionManager(
        codec_type=HttpConnectionManagerCodecType.AUTO,
        stat_prefix=name,
        route_config=RouteConfiguration(virtual_hosts=[VirtualHost(name="backend", domains=["*"], routes=routes)]),
        http_filters=[*filters, HttpFilter(name="envoy.filters.http.router", typed_config=Any.pack(Router()))],
    )
    every = _every_address(options)
    chain = FilterChain(filters=[Filter(name="envoy.filters.network.http_connection_manager", typed_config=Any.pack(manager))])
    return Listener(
        name=f"{every}_{port}",
        address=address(every, port),
        filter_chains=[chain],
        ignore_global_conn_limit=True,
        bypass_overload_manager=True,
    )


def _every_address(options: BootstrapOptions) -> str:
    """Return what stands for all addresses of the pod, in the family of the first: the one that the kubelet probes."""
    return "::" if options.is_ipv6 else "0.0.0.0"  # noqa: S104  (a pod has a network of its own, and the kubelet is outside of it)


def _prefix_route(prefix: str, cluster: str, target: str) -> Route:
    from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteMatch

    return Route(match=RouteMatch(prefix=prefix), route=RouteAction(cluster=cluster, prefix_rewrite=target))


def _probe_route(probe: AppProbe) -> Route:
    """Return the route of a probe. The kubelet gives up when it wants to; a limit of ours would be one too many."""
    from envoy_data_plane.envoy.config.core.v3 import HeaderValue, HeaderValueOption, HeaderValueOptionHeaderAppendAction
    from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteMatch

    set_header = HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    return Route(
        match=RouteMatch(path=probe.path),
        route=RouteAction(
            cluster=_probe_cluster_name(probe.port, tls=probe.tls),
            prefix_rewrite=probe.target,
            timeout=timedelta(0),
            host_rewrite_literal=probe.host or None,
        ),
        request_headers_to_add=[
            HeaderValueOption(header=HeaderValue(key=name, value=value.replace("%", "%%")), append_action=set_header)
            for name, value in probe.headers
        ],
    )


def _probe_cluster_name(port: int, *, tls: bool) -> str:
    return f"probe|{port}|{'tls' if tls else ''}|"


def _probe_cluster(options: BootstrapOptions, port: int, *, tls: bool) -> Cluster:
    """Return the application at its port, reached as what Envoy hands on to it: from an address that is not intercepted."""
    from envoy_data_plane.envoy.config.core.v3 import BindConfig, SocketAddress

    source = "::6" if options.is_ipv6 else "127.0.0.6"
    cluster = _cluster(_probe_cluster_name(port, tls=tls), options.proxy.ips[0], port)
    cluster.connect_timeout = _PROBE_CONNECT_TIMEOUT
    cluster.upstream_bind_config = BindConfig(source_address=SocketAddress(address=source, port_value=0))
    cluster.transport_socket = _any_tls() if tls else None
    return cluster


def _any_tls() -> TransportSocket:
    """Return TLS that trusts any certificate, as the kubelet does when it probes."""
    from envoy_data_plane.envoy.config.core.v3 import TransportSocket
    from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import UpstreamTlsContext
    from envoy_data_plane.google.protobuf import Any

    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=Any.pack(UpstreamTlsContext()))


def _cluster(name: str, host: str, port: int) -> Cluster:
    from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
    from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints

    endpoint = LbEndpoint(endpoint=Endpoint(address=address(host, port)))
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC,
        connect_timeout=_ADMIN_CONNECT_TIMEOUT,
        load_assignment=ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]),
    )


def _compressors() -> list[HttpFilter]:
    """Return the compressions that Prometheus may ask for: metrics are long and repeat themselves."""
    from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
    from envoy_data_plane.envoy.extensions.compression.brotli.compressor.v3 import Brotli
    from envoy_data_plane.envoy.extensions.compression.gzip.compressor.v3 import Gzip
    from envoy_data_plane.envoy.extensions.compression.zstd.compressor.v3 import Zstd
    from envoy_data_plane.envoy.extensions.filters.http.compressor.v3 import (
        Compressor,
        CompressorCommonDirectionConfig,
        CompressorResponseDirectionConfig,
    )
    from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
    from envoy_data_plane.google.protobuf import Any

    direction = CompressorResponseDirectionConfig(
        common_config=CompressorCommonDirectionConfig(min_content_length=_LEAST_TO_COMPRESS), disable_on_etag_header=True
    )
    libraries = (("gzip", Any.pack(Gzip())), ("brotli", Any.pack(Brotli())), ("zstd", Any.pack(Zstd())))
    return [
        HttpFilter(
            name=f"envoy.filters.http.compressor.{name}",
            typed_config=Any.pack(
                Compressor(
                    compressor_library=TypedExtensionConfig(name=f"envoy.compression.{name}.compressor", typed_config=library),
                    response_direction_config=direction,
                )
            ),
        )
        for name, library in libraries
    ]
