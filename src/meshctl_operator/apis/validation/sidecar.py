"""Rules of ``Sidecar``."""

from __future__ import annotations

import re
from typing import Final

from meshctl_operator.apis.networking.common import ServerTls, ServerTlsMode
from meshctl_operator.apis.networking.sidecar import (
    CaptureMode,
    EgressListener,
    IngressListener,
    OutboundMode,
    OutboundTrafficPolicy,
    SidecarPort,
    SidecarSpec,
)
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import (
    HTTP_FAMILY,
    MAX_PORT,
    TLS_FAMILY,
    check_port,
    check_selector,
    is_dns_label,
    is_fqdn,
    is_ip,
    is_unix_address,
    protocol_of,
)
from meshctl_operator.apis.validation.traffic_policy import check_connection_pool

_ENDPOINT: Final = re.compile(r"(?:127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\])?:(\d{1,5})")
_TERMINATING: Final = frozenset({ServerTlsMode.SIMPLE, ServerTlsMode.MUTUAL, ServerTlsMode.OPTIONAL_MUTUAL})


def check_sidecar(spec: SidecarSpec, findings: Findings) -> None:
    """Check a Sidecar alone."""
    if not (spec.egress or spec.ingress or spec.outbound_traffic_policy or spec.inbound_connection_pool):
        message = "is empty" if spec.workload_selector is None else "says nothing about the workloads that it selects"
        findings.error(codes.EMPTY_SIDECAR, "spec", message, hint="add egress, ingress or outboundTrafficPolicy")
    if spec.workload_selector is not None:
        check_selector(spec.workload_selector.labels, "spec.workloadSelector.labels", findings)
    ports: dict[int, str] = {}
    for index, listener in enumerate(spec.ingress):
        _check_ingress(listener, f"spec.ingress[{index}]", findings, ports)
    if spec.inbound_connection_pool is not None:
        check_connection_pool(spec.inbound_connection_pool, "spec.inboundConnectionPool", findings)
    _check_egress(spec, findings)
    if spec.outbound_traffic_policy is not None:
        _check_outbound(spec.outbound_traffic_policy, "spec.outboundTrafficPolicy", findings)


def _check_ingress(listener: IngressListener, path: str, findings: Findings, ports: dict[int, str]) -> None:
    port = listener.port
    if port is None:
        findings.error(codes.BAD_INGRESS, f"{path}.port", "is required")
    else:
        check_port(port.number, f"{path}.port.number", findings)
        if port.number in ports:
            message = f"{port.number} is already the port of {ports[port.number]}"
            findings.error(codes.BAD_INGRESS, f"{path}.port.number", message)
        ports.setdefault(port.number, path)
        _check_port(port, f"{path}.port", findings)
        if port.target_port:
            hint = "use defaultEndpoint"
            findings.error(codes.BAD_INGRESS, f"{path}.port.targetPort", "is not supported", hint=hint)
    if listener.bind and not is_ip(listener.bind):
        findings.error(codes.BAD_ADDRESS, f"{path}.bind", f'"{listener.bind}" is not an IP address')
    if listener.default_endpoint:
        _check_endpoint(listener.default_endpoint, f"{path}.defaultEndpoint", findings)
    protocol = protocol_of(port.protocol) if port is not None else None
    if listener.tls is not None:
        _check_ingress_tls(listener.tls, protocol, f"{path}.tls", findings)
    if listener.connection_pool is not None:
        check_connection_pool(listener.connection_pool, f"{path}.connectionPool", findings)
        if listener.connection_pool.http is not None and protocol is not None and protocol not in HTTP_FAMILY:
            message = f"has no effect on protocol {protocol}"
            findings.warn(codes.BAD_INGRESS, f"{path}.connectionPool.http", message)


def _check_port(port: SidecarPort, path: str, findings: Findings) -> None:
    """Check the protocol, which is sniffed where there is none, and the name, which may be left out."""
    if port.protocol and protocol_of(port.protocol) is None:
        hint = "leave it out to have it sniffed"
        findings.error(codes.UNKNOWN_PROTOCOL, f"{path}.protocol", f'"{port.protocol}" is no protocol', hint=hint)
    if port.name and not is_dns_label(port.name):
        findings.error(codes.BAD_NAME, f"{path}.name", f'"{port.name}" is not a DNS label')


def _check_endpoint(endpoint: str, path: str, findings: Findings) -> None:
    if endpoint.startswith("unix://"):
        is_good = is_unix_address(endpoint)
    else:
        match = _ENDPOINT.fullmatch(endpoint)
        is_good = match is not None and 1 <= int(match[1]) <= MAX_PORT
    if not is_good:
        hint = "write 127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///path"
        findings.error(codes.BAD_INGRESS, path, f'"{endpoint}" is not an address of the workload', hint=hint)


def _check_ingress_tls(tls: ServerTls, protocol: str | None, path: str, findings: Findings) -> None:
    if tls.mode not in _TERMINATING:
        findings.error(codes.BAD_INGRESS, f"{path}.mode", f"{tls.mode} terminates no TLS", hint="use SIMPLE or MUTUAL")
    elif not tls.server_certificate or not tls.private_key:
        findings.error(codes.BAD_INGRESS, path, "needs serverCertificate and privateKey, files of the proxy")
    if tls.mode in _TERMINATING - {ServerTlsMode.SIMPLE} and not tls.ca_certificates:
        findings.error(codes.BAD_INGRESS, f"{path}.caCertificates", f"is required: mode {tls.mode} checks the certificates of clients")
    if protocol not in TLS_FAMILY:
        findings.error(codes.BAD_INGRESS, path, f"does not fit protocol {protocol or 'unknown'}", hint="use protocol HTTPS or TLS")
    for name, is_set in (
        ("subjectAltNames", bool(tls.subject_alt_names)),
        ("httpsRedirect", tls.https_redirect),
        ("credentialName", bool(tls.credential_name)),
        ("credentialNames", bool(tls.credential_names)),
        ("tlsCertificates", bool(tls.tls_certificates)),
    ):
        if is_set:
            findings.error(codes.BAD_INGRESS, f"{path}.{name}", "is not supported at a sidecar", hint="use files of the proxy")


def _check_egress(spec: SidecarSpec, findings: Findings) -> None:
    taken: dict[object, str] = {}
    catch_all: str | None = None
    hosts: dict[str, str] = {}
    for index, listener in enumerate(spec.egress):
        path = f"spec.egress[{index}]"
        if not listener.hosts:
            findings.error(codes.BAD_EGRESS_HOST, f"{path}.hosts", "is required", hint='write ["*/*"] for everything')
        for position, host in enumerate(listener.hosts):
            where = f"{path}.hosts[{position}]"
            _check_egress_host(host, where, findings)
        if len(listener.hosts) > 1 and "*/*" in listener.hosts:
            findings.warn(codes.BAD_EGRESS_HOST, f"{path}.hosts", '"*/*" already covers the other hosts')
        for position, host in enumerate(listener.hosts):
            if host in hosts and hosts[host] == path:
                findings.warn(codes.BAD_EGRESS_HOST, f"{path}.hosts[{position}]", f'"{host}" is listed twice')
            hosts[host] = path
        if listener.port is None:
            if catch_all is not None:
                findings.error(codes.BAD_EGRESS, path, f"has no port, like {catch_all}", hint="merge their hosts")
            elif index != len(spec.egress) - 1:
                findings.error(codes.BAD_EGRESS, path, "has no port and is not the last entry", hint="move it to the end")
            catch_all = catch_all or path
        _check_egress_listener(listener, path, findings, taken)


def _check_egress_listener(listener: EgressListener, path: str, findings: Findings, taken: dict[object, str]) -> None:
    port, bind = listener.port, listener.bind
    is_socket = bind.startswith("unix://")
    if bind and not (is_unix_address(bind) if is_socket else is_ip(bind)):
        findings.error(codes.BAD_ADDRESS, f"{path}.bind", f'"{bind}" is neither an IP address nor a Unix socket')
    if port is None:
        if bind:
            findings.warn(codes.BAD_EGRESS, f"{path}.bind", "has no effect without a port", hint="add port")
        return
    if is_socket:
        if port.number:
            findings.error(codes.BAD_EGRESS, f"{path}.port.number", f"{port.number} beside a Unix socket", hint="write 0")
        if listener.capture_mode not in {CaptureMode.DEFAULT, CaptureMode.NONE}:
            message = f"{listener.capture_mode} beside a Unix socket, to which nothing is redirected"
            findings.error(codes.BAD_EGRESS, f"{path}.captureMode", message, hint="use NONE")
    else:
        check_port(port.number, f"{path}.port.number", findings)
    _check_port(port, f"{path}.port", findings)
    if port.target_port:
        findings.error(codes.BAD_EGRESS, f"{path}.port.targetPort", "is not supported", hint="remove it")
    place: object = bind if is_socket else port.number
    if place in taken:
        findings.error(codes.BAD_EGRESS, f"{path}.{'bind' if is_socket else 'port.number'}", f"{place} is already taken by {taken[place]}")
    taken.setdefault(place, path)


def _check_egress_host(host: str, path: str, findings: Findings) -> None:
    namespace, slash, name = host.partition("/")
    if not slash:
        hint = f'did you mean "*/{host}"?' if "." in host else 'write "./*", "*/*" or "shop/reviews.shop.svc.cluster.local"'
        findings.error(codes.BAD_EGRESS_HOST, path, f'"{host}" is not namespace/name', hint=hint)
        return
    bare = namespace.removeprefix("~") if namespace != "~" else namespace
    if bare not in {"*", ".", "~"} and not is_dns_label(bare):
        findings.error(codes.BAD_EGRESS_HOST, path, f'"{namespace}" is not a namespace in "{host}"')
    if name == "*" or (name.startswith("*.") and is_fqdn(name[2:])):
        return
    if "." not in name or not is_fqdn(name):
        problem = "is a partial wildcard" if name[:1] == "*" else "is a short name" if is_fqdn(name) else "is not a DNS name"
        findings.error(codes.BAD_EGRESS_HOST, path, f'"{name}" {problem}', hint="write the full name of the service")


def _check_outbound(policy: OutboundTrafficPolicy, path: str, findings: Findings) -> None:
    if policy.mode is OutboundMode.ALLOW_ANY_DYNAMIC_DNS:
        hint = "use ALLOW_ANY"
        findings.error(codes.BAD_OUTBOUND_POLICY, f"{path}.mode", f"{policy.mode} is a setting of the whole mesh", hint=hint)
    proxy = policy.egress_proxy
    if proxy is None:
        return
    if policy.mode is not OutboundMode.ALLOW_ANY:
        hint = "set mode to ALLOW_ANY"
        findings.error(codes.BAD_OUTBOUND_POLICY, f"{path}.egressProxy", f"is not allowed with mode {policy.mode}", hint=hint)
    if not is_fqdn(proxy.host):
        findings.error(codes.BAD_OUTBOUND_POLICY, f"{path}.egressProxy.host", f'"{proxy.host}" is not a DNS name')
    if proxy.port is None:
        findings.error(codes.BAD_OUTBOUND_POLICY, f"{path}.egressProxy.port", "is required")
    else:
        check_port(proxy.port.number, f"{path}.egressProxy.port.number", findings)
