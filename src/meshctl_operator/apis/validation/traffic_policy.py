"""Rules of a traffic policy: connection pool, outlier detection, client TLS, port-level settings."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.destination_rule import (
    ClientTls,
    ClientTlsMode,
    ConnectionPool,
    H2UpgradePolicy,
    HttpSettings,
    OutlierDetection,
    PortTrafficPolicy,
    TcpSettings,
    TrafficPolicy,
    Tunnel,
)
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.load_balancing import check_load_balancer
from meshctl_operator.apis.validation.primitives import check_period, check_port, is_fqdn, is_ip

MAX_PORT_POLICIES: Final = 4096
_FULL: Final = 100
_MIN_CODE, _MAX_CODE = 100, 599


def check_traffic_policy(policy: TrafficPolicy, path: str, findings: Findings) -> None:
    """Check the policy of a DestinationRule or of a subset."""
    if not policy.model_fields_set or not any(getattr(policy, name) for name in policy.model_fields_set):
        findings.error(codes.EMPTY_POLICY, path, "is empty", hint="say something in it, or remove it")
    if policy.tunnel is not None and policy.proxy_protocol is not None:
        findings.error(codes.EMPTY_POLICY, f"{path}.proxyProtocol", "is not allowed beside tunnel", hint="keep one of them")
    _check_blocks(policy, path, findings)
    if len(policy.port_level_settings) > MAX_PORT_POLICIES:
        message = f"has {len(policy.port_level_settings)} entries, at most {MAX_PORT_POLICIES} are allowed"
        findings.error(codes.BAD_PORT_POLICY, f"{path}.portLevelSettings", message)
    for index, entry in enumerate(policy.port_level_settings):
        _check_port_policy(entry, f"{path}.portLevelSettings[{index}]", findings)
    if policy.tunnel is not None:
        _check_tunnel(policy.tunnel, f"{path}.tunnel", findings)
    if policy.retry_budget is not None:
        percent = policy.retry_budget.percent
        if percent is not None and not 0 <= percent <= _FULL:
            findings.error(codes.BAD_PERCENT, f"{path}.retryBudget.percent", f"{percent:g} is no percentage")


def _check_blocks(policy: TrafficPolicy | PortTrafficPolicy, path: str, findings: Findings) -> None:
    if policy.load_balancer is not None:
        has_outlier_detection = policy.outlier_detection is not None
        check_load_balancer(policy.load_balancer, f"{path}.loadBalancer", findings, has_outlier_detection=has_outlier_detection)
    if policy.connection_pool is not None:
        check_connection_pool(policy.connection_pool, f"{path}.connectionPool", findings)
    if policy.outlier_detection is not None:
        check_outlier_detection(policy.outlier_detection, f"{path}.outlierDetection", findings)
    if policy.tls is not None:
        check_client_tls(policy.tls, f"{path}.tls", findings)


def _check_port_policy(entry: PortTrafficPolicy, path: str, findings: Findings) -> None:
    if entry.port is None:
        findings.error(codes.BAD_PORT_POLICY, f"{path}.port", "is required", hint="write port: {number: 80}")
    if entry.load_balancer is None and entry.connection_pool is None and entry.outlier_detection is None and entry.tls is None:
        hint = "add loadBalancer, connectionPool, outlierDetection or tls"
        findings.error(codes.BAD_PORT_POLICY, path, "says nothing about the port", hint=hint)
    _check_blocks(entry, path, findings)


def check_connection_pool(pool: ConnectionPool, path: str, findings: Findings) -> None:
    """Check a connection pool."""
    if pool.tcp is None and pool.http is None:
        findings.error(codes.BAD_CONNECTION_POOL, path, "has neither tcp nor http")
    if pool.tcp is not None:
        _check_tcp(pool.tcp, f"{path}.tcp", findings)
    if pool.http is not None:
        _check_http(pool.http, f"{path}.http", findings)


def _check_limit(value: int, path: str, findings: Findings) -> None:
    if value < 0:
        findings.error(codes.BAD_CONNECTION_POOL, path, f"{value} is negative", hint="0 means no limit of its own")


def _check_tcp(tcp: TcpSettings, path: str, findings: Findings) -> None:
    _check_limit(tcp.max_connections, f"{path}.maxConnections", findings)
    check_period(tcp.connect_timeout, f"{path}.connectTimeout", findings)
    check_period(tcp.max_connection_duration, f"{path}.maxConnectionDuration", findings)
    check_period(tcp.idle_timeout, f"{path}.idleTimeout", findings, zero=True)
    if tcp.tcp_keepalive is not None:
        check_period(tcp.tcp_keepalive.time, f"{path}.tcpKeepalive.time", findings)
        check_period(tcp.tcp_keepalive.interval, f"{path}.tcpKeepalive.interval", findings)


def _check_http(http: HttpSettings, path: str, findings: Findings) -> None:
    for name, value in (
        ("http1MaxPendingRequests", http.http1_max_pending_requests),
        ("http2MaxRequests", http.http2_max_requests),
        ("maxRequestsPerConnection", http.max_requests_per_connection),
        ("maxRetries", http.max_retries),
        ("maxConcurrentStreams", http.max_concurrent_streams),
    ):
        _check_limit(value, f"{path}.{name}", findings)
    check_period(http.idle_timeout, f"{path}.idleTimeout", findings)
    if http.use_client_protocol and http.h2_upgrade_policy is H2UpgradePolicy.UPGRADE:
        findings.error(codes.BAD_CONNECTION_POOL, f"{path}.useClientProtocol", "is not allowed beside h2UpgradePolicy UPGRADE")
    if http.http2_keep_alive is not None:
        for name, period in (("interval", http.http2_keep_alive.interval), ("timeout", http.http2_keep_alive.timeout)):
            if period is None:
                findings.error(codes.BAD_CONNECTION_POOL, f"{path}.http2KeepAlive.{name}", "is required")
            check_period(period, f"{path}.http2KeepAlive.{name}", findings)


def check_outlier_detection(outlier: OutlierDetection, path: str, findings: Findings) -> None:
    """Check an outlier detection."""
    if outlier.consecutive_errors:
        message, hint = "is deprecated and has no effect", "use consecutive5xxErrors or consecutiveGatewayErrors"
        findings.warn(codes.DEPRECATED, f"{path}.consecutiveErrors", message, hint=hint)
    if outlier.consecutive_local_origin_failures and not outlier.split_external_local_origin_errors:
        message, hint = "needs splitExternalLocalOriginErrors", "set splitExternalLocalOriginErrors to true"
        findings.error(codes.BAD_OUTLIER_DETECTION, f"{path}.consecutiveLocalOriginFailures", message, hint=hint)
    check_period(outlier.interval, f"{path}.interval", findings)
    check_period(outlier.base_ejection_time, f"{path}.baseEjectionTime", findings)
    for name, value in (("maxEjectionPercent", outlier.max_ejection_percent), ("minHealthPercent", outlier.min_health_percent)):
        if not 0 <= value <= _FULL:
            findings.error(codes.BAD_OUTLIER_DETECTION, f"{path}.{name}", f"{value} is no percentage", hint="give 0 to 100")
    for index, code in enumerate(outlier.outlier_detection_http_error_codes):
        if not _MIN_CODE <= code <= _MAX_CODE:
            where = f"{path}.outlierDetectionHttpErrorCodes[{index}]"
            findings.error(codes.BAD_OUTLIER_DETECTION, where, f"{code} is no HTTP status", hint="give 100 to 599")


def check_client_tls(tls: ClientTls, path: str, findings: Findings) -> None:
    """Check TLS to the upstream."""
    files = {
        "clientCertificate": tls.client_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
    }
    if tls.mode in {ClientTlsMode.SIMPLE, ClientTlsMode.MUTUAL} and tls.credential_name:
        for name in (name for name, value in files.items() if value):
            findings.error(codes.BAD_CLIENT_TLS, f"{path}.{name}", "is not allowed beside credentialName", hint="keep one of them")
    if tls.mode is ClientTlsMode.MUTUAL and not tls.credential_name:
        for name in (name for name in ("clientCertificate", "privateKey") if not files[name]):
            findings.error(codes.BAD_CLIENT_TLS, f"{path}.{name}", "is required: mode MUTUAL presents a certificate")
    scheme, is_config_map, rest = tls.credential_name.partition("configmap://")
    if is_config_map and not scheme and rest.partition("/")[0] != findings.subject.namespace:
        message = f'"{tls.credential_name}" lies in another namespace'
        findings.error(codes.BAD_CLIENT_TLS, f"{path}.credentialName", message, hint=f"use one in {findings.subject.namespace}")
    if tls.insecure_skip_verify and tls.mode in {ClientTlsMode.SIMPLE, ClientTlsMode.MUTUAL}:
        verified = {"caCertificates": bool(tls.ca_certificates), "subjectAltNames": bool(tls.subject_alt_names)}
        if tls.mode is ClientTlsMode.SIMPLE:
            verified["credentialName"] = bool(tls.credential_name)
        for name in (name for name, is_set in verified.items() if is_set):
            message = "is not allowed beside insecureSkipVerify, which verifies nothing"
            findings.error(codes.BAD_CLIENT_TLS, f"{path}.{name}", message, hint="keep one of them")


def _check_tunnel(tunnel: Tunnel, path: str, findings: Findings) -> None:
    if tunnel.protocol not in {"", "CONNECT", "POST"}:
        findings.error(codes.UNKNOWN_PROTOCOL, f"{path}.protocol", f'"{tunnel.protocol}" is no protocol', hint="use CONNECT or POST")
    if not is_fqdn(tunnel.target_host) and not is_ip(tunnel.target_host):
        message = f'"{tunnel.target_host}" is neither a DNS name nor an address' if tunnel.target_host else "is required"
        findings.error(codes.BAD_NAME, f"{path}.targetHost", message)
    check_port(tunnel.target_port, f"{path}.targetPort", findings)
