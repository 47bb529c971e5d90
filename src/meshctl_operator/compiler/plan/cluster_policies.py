"""From a traffic policy to the facts of a cluster: connection pool, outlier detection, load balancing, TLS."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.networking.destination_rule import (
    ConnectionPool,
    ConsistentHash,
    H2UpgradePolicy,
    LoadBalancer,
    OutlierDetection,
    ProxyProtocol,
    RetryBudget,
    SimpleLb,
    TcpKeepalive,
)
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.clusters import (
    UNLIMITED,
    BalancingInput,
    BreakersInput,
    Http2Input,
    HttpInput,
    KeepaliveInput,
    LbPolicy,
    OutlierInput,
    ProxyHeader,
    RetryBudgetInput,
    UpstreamHttp,
    WarmupInput,
    ZoneAwareInput,
)
from meshctl_operator.model import codes
from meshctl_operator.model.locality_policies import LocalityPolicy
from meshctl_operator.model.services import Protocol

_BARE_RING_SIZE: Final = 1024
_MAX_RING_SIZE: Final = 8_388_608
_MAX_TABLE_SIZE: Final = 5_000_011
_PERCENT: Final = 100
_RETRY_PERCENT: Final = 20.0  # Istio's and Envoy's own defaults
_RETRY_CONCURRENCY: Final = 3
_HTTP_STATUSES: Final = range(100, 600)


@dataclass(slots=True)
class Checks:
    """Collects findings about values that Envoy would refuse; such a value is left out, everything else is served.

    ``subject`` is the object that the policy comes from.
    """

    subject: ObjectKey
    found: list[Diagnostic] = field(default_factory=list)

    def within(self, name: str, value: float, low: float, high: float) -> bool:
        """Tell whether the value lies in the range, and report it if not."""
        if low <= value <= high:
            return True
        self.refuse(name, value, f"it must lie between {low} and {high}")
        return False

    def positive(self, name: str, value: Duration | None) -> Duration | None:
        """Return the duration if it is longer than nothing; otherwise report it and return None."""
        if value is None or value.nanos > 0:
            return value
        self.refuse(name, value, "it must be longer than 0s")
        return None

    def refuse(self, name: str, value: object, rule: str) -> None:
        """Report a value that is left out. ``rule`` says what it should be."""
        message = f"{name} {value} is left out, since no proxy accepts it: {rule}"
        self.found.append(codes.UNUSABLE_VALUE.warning(self.subject, "spec.trafficPolicy", message))


# Connection pool


def plan_breakers(pool: ConnectionPool | None, retry_budget: RetryBudgetInput | None = None) -> BreakersInput:
    """Return the limits of a cluster; 0 and unset lift a limit."""
    tcp, http = (pool.tcp, pool.http) if pool else (None, None)
    return BreakersInput(
        max_connections=_limit(tcp.max_connections if tcp else 0),
        max_pending_requests=_limit(http.http1_max_pending_requests if http else 0),
        max_requests=_limit(http.http2_max_requests if http else 0),
        max_retries=_limit(http.max_retries if http else 0),
        retry_budget=retry_budget,
    )


def plan_retry_budget(declared: RetryBudget | None, checks: Checks) -> RetryBudgetInput | None:
    """Return which share of the requests may be retries; None where the policy has no budget."""
    if declared is None:
        return None
    percent = declared.percent
    if percent is None or not checks.within("retryBudget.percent", percent, 0, _PERCENT):
        percent = _RETRY_PERCENT
    return RetryBudgetInput(percent, declared.min_retry_concurrency or _RETRY_CONCURRENCY)


def plan_proxy_header(declared: ProxyProtocol | None) -> ProxyHeader | None:
    """Return the version of the PROXY header before upstream connections; None where none is sent."""
    return None if declared is None else ProxyHeader(declared.version.value)


def plan_buffer_limit(config: MeshConfig) -> int | None:
    """Return the bytes that a cluster buffers for each connection; None where Envoy's own limit holds."""
    settings = config.default_config.connection_settings
    return (settings.cluster_per_connection_buffer_limit_bytes or None) if settings is not None else None


def _limit(value: int) -> int:
    return value if value > 0 else UNLIMITED


def plan_connect_timeout(pool: ConnectionPool | None, default: Duration, checks: Checks) -> Duration:
    """Return the time to wait for a connection: the policy's, else the mesh's."""
    declared = pool.tcp.connect_timeout if pool and pool.tcp else None
    return checks.positive("connectTimeout", declared) or default


def plan_keepalive(default: TcpKeepalive | None, pool: ConnectionPool | None) -> KeepaliveInput | None:
    """Return TCP keepalive, each value from the policy, else from the mesh; None where neither switches it on."""
    own = pool.tcp.tcp_keepalive if pool and pool.tcp else None
    if own is None and default is None:
        return None
    levels = [level for level in (own, default) if level is not None]
    return KeepaliveInput(
        probes=next((level.probes for level in levels if level.probes), None),
        time=next((_seconds(level.time) for level in levels if level.time), None),
        interval=next((_seconds(level.interval) for level in levels if level.interval), None),
    )


def _seconds(duration: Duration | None) -> int | None:
    """Return whole seconds, which is all that the kernel takes; less than one is left to the kernel's default."""
    return int(duration.seconds) or None if duration else None


# HTTP


def plan_protocol(declared: Protocol, pool: ConnectionPool | None, mesh_default: H2UpgradePolicy, *, sniffs: bool) -> UpstreamHttp | None:
    """Return which HTTP the cluster speaks; None leaves it to Envoy, which is HTTP/1.

    ``sniffs`` says that the proxy finds out the protocol of ports that declare none (sidecars do).
    """
    http = pool.http if pool else None
    if http is not None and http.use_client_protocol:
        return UpstreamHttp.AS_DOWNSTREAM
    if _is_upgraded(declared, http.h2_upgrade_policy if http else H2UpgradePolicy.DEFAULT, mesh_default) or declared.is_http2:
        return UpstreamHttp.HTTP2
    return UpstreamHttp.AS_DOWNSTREAM if declared is Protocol.UNSUPPORTED and sniffs else None


def _is_upgraded(declared: Protocol, own: H2UpgradePolicy, mesh_default: H2UpgradePolicy) -> bool:
    """Tell whether HTTP/1.1 becomes HTTP/2. UPGRADE of a rule holds for ports of any protocol, the mesh's for HTTP ports alone."""
    if own is not H2UpgradePolicy.DEFAULT:
        return own is H2UpgradePolicy.UPGRADE
    return declared.is_http and mesh_default is H2UpgradePolicy.UPGRADE


def plan_http(
    protocol: UpstreamHttp | None, pool: ConnectionPool | None, outlier: OutlierDetection | None, checks: Checks
) -> HttpInput | None:
    """Return HTTP options, or None where nothing was chosen."""
    tcp, http = (pool.tcp, pool.http) if pool else (None, None)
    idle = http.idle_timeout if http and http.idle_timeout is not None else tcp.idle_timeout if tcp else None
    codes_of_errors = outlier.outlier_detection_http_error_codes if outlier else ()
    http2 = Http2Input()
    if http is not None and protocol is UpstreamHttp.HTTP2:
        keepalive = http.http2_keep_alive
        http2 = Http2Input(
            max_concurrent_streams=http.max_concurrent_streams if http.max_concurrent_streams > 0 else None,
            keepalive_interval=checks.positive("http2KeepAlive.interval", keepalive.interval) if keepalive else None,
            keepalive_timeout=checks.positive("http2KeepAlive.timeout", keepalive.timeout) if keepalive else None,
        )
    found = HttpInput(
        protocol=protocol,
        http2=http2,
        idle_timeout=idle,
        max_connection_duration=checks.positive("maxConnectionDuration", tcp.max_connection_duration) if tcp else None,
        max_requests_per_connection=http.max_requests_per_connection if http and http.max_requests_per_connection > 0 else None,
        error_codes=tuple(
            code
            for code in dict.fromkeys(codes_of_errors)
            if checks.within("outlierDetectionHttpErrorCodes", code, _HTTP_STATUSES.start, _HTTP_STATUSES.stop - 1)
        ),
    )
    return None if found == HttpInput() else found


# Outlier detection


def plan_outlier(declared: OutlierDetection | None, checks: Checks) -> OutlierInput | None:
    """Return outlier detection, or None where the policy has none."""
    if declared is None:
        return None
    percent = declared.max_ejection_percent
    split = declared.split_external_local_origin_errors
    local = declared.consecutive_local_origin_failures
    return OutlierInput(
        consecutive_5xx=declared.consecutive_5xx_errors,
        consecutive_gateway_failure=declared.consecutive_gateway_errors,
        consecutive_local_origin_failure=local or None if split else None,
        split_local_origin=split,
        interval=checks.positive("outlierDetection.interval", declared.interval),
        base_ejection_time=checks.positive("outlierDetection.baseEjectionTime", declared.base_ejection_time),
        max_ejection_percent=percent if percent and checks.within("maxEjectionPercent", percent, 1, _PERCENT) else None,
    )


def plan_panic_threshold(declared: OutlierDetection | None, checks: Checks) -> int:
    """Return below which share of healthy endpoints Envoy uses all of them; 0, never, unless the policy names one."""
    percent = declared.min_health_percent if declared else 0
    return percent if checks.within("minHealthPercent", percent, 0, _PERCENT) else 0


# Load balancing


def is_passthrough(balancer: LoadBalancer | None) -> bool:
    """Tell whether connections go to the address that they were meant for."""
    return balancer is not None and balancer.consistent_hash is None and balancer.simple is SimpleLb.PASSTHROUGH


def plan_balancing(balancer: LoadBalancer | None, checks: Checks) -> BalancingInput:
    """Return how endpoints are picked; LEAST_REQUEST where the policy names nothing (or PASSTHROUGH, which is no balancing)."""
    if balancer is None:
        return BalancingInput(LbPolicy.LEAST_REQUEST)
    if balancer.consistent_hash is not None:
        return _hashing(balancer.consistent_hash, checks)
    warmup = _warmup(balancer, checks)
    match balancer.simple:
        case SimpleLb.RANDOM:
            return BalancingInput(LbPolicy.RANDOM)
        case SimpleLb.ROUND_ROBIN:
            return BalancingInput(LbPolicy.ROUND_ROBIN, warmup=warmup)
        case SimpleLb.UNSPECIFIED | SimpleLb.LEAST_CONN | SimpleLb.LEAST_REQUEST | SimpleLb.PASSTHROUGH | None:
            return BalancingInput(LbPolicy.LEAST_REQUEST, warmup=warmup)


def with_localities(balancing: BalancingInput, policy: LocalityPolicy | None) -> BalancingInput:
    """Return load balancing with what Envoy has to know about localities."""
    if policy is None:
        return balancing
    zones = policy.zone_aware
    return replace(
        balancing,
        locality_weighted=policy.is_weighted,
        zone_aware=None if zones is None else ZoneAwareInput(zones.enabled, zones.min_cluster_size),
    )


def _hashing(declared: ConsistentHash, checks: Checks) -> BalancingInput:
    if declared.maglev is not None:
        size = declared.maglev.table_size
        usable = size and checks.within("maglev.tableSize", size, 1, _MAX_TABLE_SIZE) and _is_prime(size, checks)
        return BalancingInput(LbPolicy.MAGLEV, table_size=size if usable else None)
    ring = declared.ring_hash.minimum_ring_size if declared.ring_hash else declared.minimum_ring_size or _BARE_RING_SIZE
    usable = ring and checks.within("minimumRingSize", ring, 1, _MAX_RING_SIZE)
    return BalancingInput(LbPolicy.RING_HASH, ring_size=ring if usable else None)


def _is_prime(size: int, checks: Checks) -> bool:
    factor = next((divisor for divisor in range(2, int(size**0.5) + 1) if size % divisor == 0), 0)
    if size > 1 and not factor:
        return True
    checks.refuse("maglev.tableSize", size, "it must be a prime number")
    return False


def _warmup(balancer: LoadBalancer, checks: Checks) -> WarmupInput | None:
    declared = balancer.warmup
    window = checks.positive("warmup.duration", declared.duration if declared else balancer.warmup_duration_secs)
    if window is None:
        return None
    if declared is None:
        return WarmupInput(window)
    percent, aggression = declared.minimum_percent, declared.aggression
    return WarmupInput(
        window,
        minimum_percent=percent if percent is not None and checks.within("warmup.minimumPercent", percent, 0, _PERCENT) else None,
        aggression=aggression if aggression is not None and checks.within("warmup.aggression", aggression, 1e-9, 1e9) else None,
    )
