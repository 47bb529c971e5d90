"""Rules of ``Gateway``."""

from __future__ import annotations

from meshctl_operator.apis.networking.common import ServerTlsMode
from meshctl_operator.apis.networking.gateway import GatewaySpec, Server
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import (
    HTTP_FAMILY,
    TLS_FAMILY,
    check_port,
    is_dns_label,
    is_fqdn,
    is_ip,
    is_unix_address,
    protocol_of,
)
from meshctl_operator.apis.validation.server_tls import check_server_tls


def check_gateway(spec: GatewaySpec, findings: Findings) -> None:
    """Check a Gateway alone."""
    if not spec.servers:
        findings.error(codes.NO_SERVERS, "spec.servers", "is empty", hint="a Gateway opens a port for each server")
    names: dict[str, str] = {}
    for index, server in enumerate(spec.servers):
        path = f"spec.servers[{index}]"
        _check_server(server, path, findings)
        name = server.port.name if server.port is not None else ""
        if name and name in names:
            message = f'"{name}" is already the port name of {names[name]}'
            findings.error(codes.BAD_PORT_NAME, f"{path}.port.name", message)
        names.setdefault(name, path)
    _check_conflicts(spec, findings)


def _check_conflicts(spec: GatewaySpec, findings: Findings) -> None:
    """Warn about servers that an earlier one of the same Gateway keeps from being served. The older server wins."""
    first: dict[tuple[int, str], tuple[str, str]] = {}
    hosts: dict[tuple[int, str, str], str] = {}
    for index, server in enumerate(spec.servers):
        protocol = protocol_of(server.port.protocol) if server.port is not None else None
        if server.port is None or protocol is None:
            continue
        path, place = f"spec.servers[{index}]", (server.port.number, server.bind)
        owner, owner_protocol = first.setdefault(place, (path, protocol))
        fits = any(protocol in family and owner_protocol in family for family in (HTTP_FAMILY, TLS_FAMILY))
        if owner != path and not fits:
            message = f"protocol {protocol} cannot share port {server.port.number} with {owner_protocol} of {owner}: the server is skipped"
            findings.warn(codes.SERVER_CONFLICT, path, message, hint="use another port or bind")
            continue
        for position, host in enumerate(server.hosts) if protocol in TLS_FAMILY else ():
            name = host.rpartition("/")[2]  # server names carry no namespace
            taken = hosts.setdefault((*place, name), path)
            if taken != path:
                message = f'"{name}" is already served by {taken} on port {server.port.number}: the server is skipped'
                findings.warn(codes.SERVER_CONFLICT, f"{path}.hosts[{position}]", message, hint="merge the servers")


def _check_server(server: Server, path: str, findings: Findings) -> None:
    if server.port is None:
        findings.error(codes.BAD_PORT, f"{path}.port", "is required", hint="give number, protocol and name")
        return
    is_socket = server.bind.startswith("unix://")
    if not (is_socket and server.port.number == 0):
        if is_socket:
            findings.error(codes.BAD_PORT, f"{path}.port.number", f"{server.port.number} beside a Unix socket", hint="write 0")
        else:
            check_port(server.port.number, f"{path}.port.number", findings)
    if server.bind and not (is_unix_address(server.bind) if is_socket else is_ip(server.bind)):
        hint = "bind takes an IP address, unix:///path or unix://@name"
        findings.error(codes.BAD_ADDRESS, f"{path}.bind", f'"{server.bind}" is not an address', hint=hint)
    if not server.port.name:
        findings.error(codes.BAD_PORT_NAME, f"{path}.port.name", "is required")
    if server.port.target_port > 0:
        hint = "the target port is the one of the Service that selects the gateway"
        findings.error(codes.BAD_PORT, f"{path}.port.targetPort", "is no longer allowed", hint=hint)
    if not server.hosts:
        findings.error(codes.BAD_SERVER_HOST, f"{path}.hosts", "is empty", hint='write ["*"] for every host')
    for index, host in enumerate(server.hosts):
        _check_host(host, f"{path}.hosts[{index}]", findings)
    protocol = protocol_of(server.port.protocol)
    if protocol is None:
        hint = "use HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP or MONGO"
        findings.error(codes.UNKNOWN_PROTOCOL, f"{path}.port.protocol", f'"{server.port.protocol}" is no protocol', hint=hint)
    else:
        _check_protocol_tls(server, protocol, path, findings)
    if server.tls is not None:
        check_server_tls(server.tls, f"{path}.tls", findings)


def _check_host(host: str, path: str, findings: Findings) -> None:
    namespace, slash, name = host.rpartition("/")
    if slash and namespace not in {"*", "."} and not is_dns_label(namespace):
        findings.error(codes.BAD_SERVER_HOST, path, f'"{namespace}" is not a namespace in "{host}"')
    if name == "*" or (name.startswith("*.") and is_fqdn(name[2:])):
        return
    if name[:1] == "*":
        findings.error(codes.BAD_SERVER_HOST, path, f'"{host}" is a partial wildcard', hint='a wildcard is "*" or starts with "*."')
    elif "." not in name or not (is_fqdn(name) or (is_ip(name) and ":" not in name)):
        problem = "is a short name" if name and "." not in name and is_fqdn(name) else "is not a DNS name"
        findings.error(codes.BAD_SERVER_HOST, path, f'"{host}" {problem}', hint="write the full name that clients ask for")


def _check_protocol_tls(server: Server, protocol: str, path: str, findings: Findings) -> None:
    tls = server.tls
    if tls is None:
        if protocol in TLS_FAMILY:
            hint = "add tls with mode SIMPLE and a credentialName, or mode PASSTHROUGH"
            findings.error(codes.BAD_SERVER_TLS, f"{path}.tls", f"is required for protocol {protocol}", hint=hint)
        return
    if protocol in HTTP_FAMILY:
        if tls.mode is not ServerTlsMode.PASSTHROUGH or tls.server_certificate or tls.private_key or tls.ca_certificates:
            hint = "use protocol HTTPS to terminate TLS, or keep httpsRedirect alone"
            findings.error(codes.BAD_SERVER_TLS, f"{path}.tls", f"a server of protocol {protocol} terminates no TLS", hint=hint)
    elif protocol not in TLS_FAMILY:
        hint = "use protocol TLS"
        findings.error(codes.BAD_SERVER_TLS, f"{path}.tls", f"a server of protocol {protocol} has no TLS", hint=hint)
    if tls.https_redirect and protocol not in HTTP_FAMILY:
        hint = "put it on the server of port 80"
        findings.warn(codes.IGNORED_TLS_FIELD, f"{path}.tls.httpsRedirect", f"has no effect with protocol {protocol}", hint=hint)
