"""The facts of one Cluster."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.endpoints import EndpointsInput

UNLIMITED: Final = 2**32 - 1
"""Envoy's own limits (1024 connections and requests, 3 retries) surprise users; Istio lifts them as well."""


class Discovery(StrEnum):
    """How a cluster finds its endpoints (``Cluster.DiscoveryType``)."""

    EDS = "EDS"
    STATIC = "STATIC"
    STRICT_DNS = "STRICT_DNS"
    LOGICAL_DNS = "LOGICAL_DNS"
    ORIGINAL_DST = "ORIGINAL_DST"
    DYNAMIC_FORWARD_PROXY = "envoy.clusters.dynamic_forward_proxy"
    """The host of each request is resolved by DNS (not a discovery type of Envoy's own but an extension)."""


class DnsFamily(StrEnum):
    """Which addresses a DNS cluster asks for (``Cluster.DnsLookupFamily``)."""

    V4_ONLY = "V4_ONLY"
    V6_ONLY = "V6_ONLY"
    ALL = "ALL"


class LbPolicy(StrEnum):
    """How a cluster picks an endpoint (``Cluster.LbPolicy``)."""

    ROUND_ROBIN = "ROUND_ROBIN"
    LEAST_REQUEST = "LEAST_REQUEST"
    RANDOM = "RANDOM"
    RING_HASH = "RING_HASH"
    MAGLEV = "MAGLEV"
    CLUSTER_PROVIDED = "CLUSTER_PROVIDED"


class UpstreamHttp(StrEnum):
    """Which HTTP is spoken upstream (``HttpProtocolOptions.upstream_protocol_options``)."""

    HTTP1 = "HTTP1"
    HTTP2 = "HTTP2"
    AS_DOWNSTREAM = "AS_DOWNSTREAM"


@dataclass(frozen=True, slots=True)
class DnsCacheInput:
    """A cache of resolved names (``DnsCacheConfig``), which a cluster and the filters before it share by its name."""

    name: str
    family: DnsFamily = DnsFamily.V4_ONLY


@dataclass(frozen=True, slots=True)
class WarmupInput:
    """Slow start of new endpoints (``Cluster.SlowStartConfig``)."""

    window: Duration
    minimum_percent: float | None = None
    aggression: float | None = None


@dataclass(frozen=True, slots=True)
class ZoneAwareInput:
    """Zone-aware routing (``ZoneAwareLbConfig``); disabled it routes 0 % of the requests by zone."""

    enabled: bool
    min_cluster_size: int | None = None


@dataclass(frozen=True, slots=True)
class BalancingInput:
    """Load balancing. ``ring_size`` and ``table_size`` are None where Envoy's default holds.

    ``locality_weighted`` picks a locality by its weight first, ``zone_aware`` prefers the zone of the proxy.
    """

    policy: LbPolicy
    ring_size: int | None = None
    table_size: int | None = None
    warmup: WarmupInput | None = None
    locality_weighted: bool = False
    zone_aware: ZoneAwareInput | None = None


class ProxyHeader(StrEnum):
    """Version of the PROXY header before upstream connections (``ProxyProtocolConfig.Version``)."""

    V1 = "V1"
    V2 = "V2"


@dataclass(frozen=True, slots=True)
class RetryBudgetInput:
    """Retries as a share of the active requests, with so many at least (``Thresholds.RetryBudget``)."""

    percent: float
    min_concurrency: int


@dataclass(frozen=True, slots=True)
class BreakersInput:
    """Limits of a cluster (``CircuitBreakers.Thresholds``, default priority). Envoy takes a retry budget before ``max_retries``."""

    max_connections: int = UNLIMITED
    max_pending_requests: int = UNLIMITED
    max_requests: int = UNLIMITED
    max_retries: int = UNLIMITED
    retry_budget: RetryBudgetInput | None = None


@dataclass(frozen=True, slots=True)
class KeepaliveInput:
    """TCP keepalive (``core.v3.TcpKeepalive``), in whole seconds; None leaves a value to the operating system."""

    probes: int | None = None
    time: int | None = None
    interval: int | None = None


@dataclass(frozen=True, slots=True)
class Http2Input:
    """HTTP/2 towards the upstream (``core.v3.Http2ProtocolOptions``)."""

    max_concurrent_streams: int | None = None
    keepalive_interval: Duration | None = None
    keepalive_timeout: Duration | None = None


@dataclass(frozen=True, slots=True)
class HttpInput:
    """HTTP towards the upstream (``HttpProtocolOptions``). ``protocol`` None says nothing, which Envoy takes for HTTP/1.

    ``error_codes`` are the statuses that outlier detection counts as errors, where they are not all of 5xx.
    """

    protocol: UpstreamHttp | None = None
    http2: Http2Input = Http2Input()
    idle_timeout: Duration | None = None
    max_connection_duration: Duration | None = None
    max_requests_per_connection: int | None = None
    auto_sni: bool = False
    auto_san_validation: bool = False
    error_codes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class OutlierInput:
    """When an endpoint is ejected (``OutlierDetection``). None leaves a value to Envoy; an error count of 0 is never enforced."""

    consecutive_5xx: int | None = None
    consecutive_gateway_failure: int | None = None
    consecutive_local_origin_failure: int | None = None
    split_local_origin: bool = False
    interval: Duration | None = None
    base_ejection_time: Duration | None = None
    max_ejection_percent: int | None = None


@dataclass(frozen=True, slots=True)
class UpstreamTlsInput:
    """TLS to the upstream (``UpstreamTlsContext``).

    ``sni`` may be empty. ``trusted_ca`` is a file of certificate authorities on the proxy's host, empty to trust anybody unless
    ``authority_secret`` names one. Files are on the proxy's host; secrets are SDS names, asked for over ADS.
    ``cipher_suites`` and ``curves`` are offered in the place of Envoy's own, where there are any.
    """

    sni: str = ""
    alpn: tuple[str, ...] = ()
    trusted_ca: str = ""
    subject_alt_names: tuple[str, ...] = ()
    crl: str = ""
    certificate: str = ""
    private_key: str = ""
    certificate_secret: str = ""
    authority_secret: str = ""
    cipher_suites: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The SDS names that the cluster asks for."""
        return tuple(name for name in (self.certificate_secret, self.authority_secret) if name)


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """A service as the cluster's metadata names it."""

    host: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class MetadataInput:
    """Metadata under the key ``istio``, which telemetry and people read."""

    services: tuple[ServiceInfo, ...] = ()
    external: bool = False
    rule: ObjectKey | None = None
    subset: str = ""
    alpn_override: bool = True


@dataclass(frozen=True, slots=True)
class ClusterInput:
    """One cluster.

    ``tls`` is spoken to every endpoint, ``tls_where_taken`` to those that say so in their metadata, plain text to the others.
    ``panic_threshold`` (percent) None leaves it to Envoy. ``bind_address`` is the source address of connections. ``load_assignment`` is
    what STATIC and DNS clusters carry themselves. ``dns_refresh`` and ``dns_family`` are for DNS clusters, ``dns_cache`` is that of a
    dynamic forward proxy. ``port_override`` is for ORIGINAL_DST. ``extra_bind_address`` is the source address of the other family.
    ``endpoints_of`` is the cluster that it shares its endpoints with, if it has none of its own. ``buffer_limit`` (bytes for each
    connection) None leaves Envoy's own.
    """

    name: str
    discovery: Discovery
    balancing: BalancingInput
    connect_timeout: Duration
    breakers: BreakersInput | None = BreakersInput()
    alt_stat_name: str = ""
    panic_threshold: int | None = None
    sticky_sessions: bool = False
    load_assignment: EndpointsInput | None = None
    dns_refresh: Duration | None = None
    dns_family: DnsFamily = DnsFamily.V4_ONLY
    dns_cache: DnsCacheInput | None = None
    port_override: int | None = None
    keepalive: KeepaliveInput | None = None
    http: HttpInput | None = None
    outlier: OutlierInput | None = None
    tls: UpstreamTlsInput | None = None
    tls_where_taken: UpstreamTlsInput | None = None
    proxy_header: ProxyHeader | None = None
    bind_address: str = ""
    extra_bind_address: str = ""
    keep_unused_hosts: bool = False
    metadata: MetadataInput = MetadataInput()
    endpoints_of: str = ""
    buffer_limit: int | None = None

    @property
    def eds_name(self) -> str:
        """The endpoint resource that the cluster asks for; empty for other types of cluster."""
        return (self.endpoints_of or self.name) if self.discovery is Discovery.EDS else ""
