"""The structure of ``DestinationRule``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from meshctl_operator.apis.meta import OneOfModel, StrictModel
from meshctl_operator.apis.networking.common import (
    Double,
    Flag,
    FrozenMap,
    GoDuration,
    Int32,
    PolicySelector,
    PortSelector,
    UInt32,
    UInt64,
)
from meshctl_operator.apis.support import validated_only


class SimpleLb(StrEnum):
    """Load balancing without affinity (Istio ``LoadBalancerSettings.SimpleLB``)."""

    UNSPECIFIED = "UNSPECIFIED"
    LEAST_CONN = "LEAST_CONN"
    RANDOM = "RANDOM"
    PASSTHROUGH = "PASSTHROUGH"
    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"


class CookieAttribute(StrictModel):
    """One attribute of a generated cookie (Istio ``HTTPCookie.Attribute``)."""

    name: str = ""
    value: str = ""


class HttpCookie(StrictModel):
    """Hash on a cookie; a ``ttl`` makes Envoy generate it (Istio ``ConsistentHashLB.HTTPCookie``)."""

    name: str = ""
    path: str = ""
    ttl: GoDuration | None = None
    attributes: tuple[CookieAttribute, ...] = ()


class RingHash(StrictModel):
    """Ring hash (Istio ``ConsistentHashLB.RingHash``)."""

    minimum_ring_size: UInt64 = 0


class Maglev(StrictModel):
    """Maglev hash (Istio ``ConsistentHashLB.MagLev``)."""

    table_size: UInt64 = 0


class ConsistentHash(OneOfModel):
    """Load balancing by a hash of the request (Istio ``LoadBalancerSettings.ConsistentHashLB``)."""

    one_ofs = (("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name"), ("ring_hash", "maglev"))

    http_header_name: str | None = None
    http_cookie: HttpCookie | None = None
    use_source_ip: Flag | None = None
    http_query_parameter_name: str | None = None
    ring_hash: RingHash | None = None
    maglev: Maglev | None = None
    minimum_ring_size: UInt64 = 0


class Distribute(StrictModel):
    """Shares of the traffic that starts in one locality (Istio ``LocalityLoadBalancerSetting.Distribute``)."""

    from_: str = Field(default="", alias="from")
    to: FrozenMap[str, UInt32] = Field(default_factory=dict)


class Failover(StrictModel):
    """The region that takes over from another (Istio ``LocalityLoadBalancerSetting.Failover``)."""

    from_: str = Field(default="", alias="from")
    to: str = ""


class LocalityLb(StrictModel):
    """Load balancing by locality (Istio ``LocalityLoadBalancerSetting``)."""

    distribute: tuple[Distribute, ...] = ()
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()
    enabled: Flag | None = None


class ZoneAwareLb(StrictModel):
    """Zone-aware load balancing (Istio ``ZoneAwareLoadBalancerSetting``)."""

    enabled: Flag | None = None
    min_cluster_size: UInt64 | None = None
    failover: tuple[Failover, ...] = ()
    failover_priority: tuple[str, ...] = ()


class Warmup(StrictModel):
    """Slow start of new endpoints (Istio ``WarmupConfiguration``)."""

    duration: GoDuration | None = None
    minimum_percent: Double | None = None
    aggression: Double | None = None


class LoadBalancer(OneOfModel):
    """Load balancing of one destination (Istio ``LoadBalancerSettings``)."""

    one_ofs = (("simple", "consistent_hash"),)

    simple: SimpleLb | None = None
    consistent_hash: ConsistentHash | None = None
    locality_lb_setting: LocalityLb | None = None
    zone_aware_lb_setting: ZoneAwareLb | None = None
    warmup_duration_secs: GoDuration | None = None
    warmup: Warmup | None = None


class TcpKeepalive(StrictModel):
    """TCP keepalive; unset values are the operating system's (Istio ``TCPSettings.TcpKeepalive``)."""

    probes: UInt32 = 0
    time: GoDuration | None = None
    interval: GoDuration | None = None


class TcpSettings(StrictModel):
    """Connection settings of every protocol (Istio ``ConnectionPoolSettings.TCPSettings``)."""

    max_connections: Int32 = 0
    connect_timeout: GoDuration | None = None
    tcp_keepalive: TcpKeepalive | None = None
    max_connection_duration: GoDuration | None = None
    idle_timeout: GoDuration | None = None


class H2UpgradePolicy(StrEnum):
    """Whether HTTP/1.1 connections become HTTP/2 (Istio ``HTTPSettings.H2UpgradePolicy``)."""

    DEFAULT = "DEFAULT"
    DO_NOT_UPGRADE = "DO_NOT_UPGRADE"
    UPGRADE = "UPGRADE"


class Http2KeepAlive(StrictModel):
    """HTTP/2 pings (Istio ``HTTPSettings.HTTP2KeepAlive``)."""

    interval: GoDuration | None = None
    timeout: GoDuration | None = None


class HttpSettings(StrictModel):
    """Connection settings of HTTP (Istio ``ConnectionPoolSettings.HTTPSettings``)."""

    http1_max_pending_requests: Int32 = 0
    http2_max_requests: Int32 = 0
    max_requests_per_connection: Int32 = 0
    max_retries: Int32 = 0
    idle_timeout: GoDuration | None = None
    h2_upgrade_policy: H2UpgradePolicy = H2UpgradePolicy.DEFAULT
    use_client_protocol: Flag = False
    max_concurrent_streams: Int32 = 0
    http2_keep_alive: Http2KeepAlive | None = None


class ConnectionPool(StrictModel):
    """Limits and timeouts of upstream connections (Istio ``ConnectionPoolSettings``)."""

    tcp: TcpSettings | None = None
    http: HttpSettings | None = None


class OutlierDetection(StrictModel):
    """When an endpoint is taken out of rotation (Istio ``OutlierDetection``)."""

    consecutive_errors: Int32 = 0
    split_external_local_origin_errors: Flag = False
    consecutive_local_origin_failures: UInt32 | None = None
    consecutive_gateway_errors: UInt32 | None = None
    consecutive_5xx_errors: UInt32 | None = Field(default=None, alias="consecutive5xxErrors")
    interval: GoDuration | None = None
    base_ejection_time: GoDuration | None = None
    max_ejection_percent: Int32 = 0
    min_health_percent: Int32 = 0
    outlier_detection_http_error_codes: tuple[UInt32, ...] = ()


class ClientTlsMode(StrEnum):
    """How a client speaks TLS to its upstream (Istio ``ClientTLSSettings.TLSmode``)."""

    DISABLE = "DISABLE"
    SIMPLE = "SIMPLE"
    MUTUAL = "MUTUAL"
    ISTIO_MUTUAL = "ISTIO_MUTUAL"


class ClientTls(StrictModel):
    """TLS to the upstream (Istio ``ClientTLSSettings``)."""

    mode: Annotated[
        ClientTlsMode,
        validated_only("nobody issues certificates of the mesh, so within it plain text is spoken", "ISTIO_MUTUAL"),
    ] = ClientTlsMode.DISABLE
    client_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    credential_name: str = ""
    subject_alt_names: tuple[str, ...] = ()
    sni: str = ""
    insecure_skip_verify: Flag | None = None
    ca_crl: str = ""


class PortTrafficPolicy(StrictModel):
    """The policy of one service port, which replaces the policy around it (Istio ``TrafficPolicy.PortTrafficPolicy``)."""

    port: PortSelector | None = None
    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None


class Tunnel(StrictModel):
    """Tunnelling of TCP through HTTP CONNECT or POST (Istio ``TrafficPolicy.TunnelSettings``)."""

    protocol: str = ""
    target_host: str = ""
    target_port: UInt32 = 0


class ProxyProtocolVersion(StrEnum):
    """Versions of the PROXY protocol (Istio ``TrafficPolicy.ProxyProtocol.VERSION``)."""

    V1 = "V1"
    V2 = "V2"


class ProxyProtocol(StrictModel):
    """A PROXY protocol header in front of upstream connections (Istio ``TrafficPolicy.ProxyProtocol``)."""

    version: ProxyProtocolVersion = ProxyProtocolVersion.V1


class RetryBudget(StrictModel):
    """Retries as a share of the active requests (Istio ``TrafficPolicy.RetryBudget``)."""

    percent: Double | None = None
    min_retry_concurrency: UInt32 = 0
    budget_interval: Annotated[GoDuration | None, validated_only("only requests that are active count")] = None


class TrafficPolicy(StrictModel):
    """How connections to a destination are made and balanced (Istio ``TrafficPolicy``)."""

    load_balancer: LoadBalancer | None = None
    connection_pool: ConnectionPool | None = None
    outlier_detection: OutlierDetection | None = None
    tls: ClientTls | None = None
    port_level_settings: tuple[PortTrafficPolicy, ...] = ()
    tunnel: Tunnel | None = None
    proxy_protocol: ProxyProtocol | None = None
    retry_budget: RetryBudget | None = None


class Subset(StrictModel):
    """A named part of a service's endpoints (Istio ``Subset``)."""

    name: str = ""
    labels: FrozenMap[str, str] = Field(default_factory=dict)
    traffic_policy: TrafficPolicy | None = None


class DestinationRuleSpec(StrictModel):
    """The ``spec`` of a DestinationRule."""

    host: str = ""
    traffic_policy: TrafficPolicy | None = None
    subsets: tuple[Subset, ...] = ()
    export_to: tuple[str, ...] = ()
    workload_selector: PolicySelector | None = None
