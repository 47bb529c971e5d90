"""Rules of ``ServiceEntry``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshctl_operator.apis.networking.service_entry import Location, Resolution, ServiceEntrySpec, ServicePort
from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import (
    HTTP_FAMILY,
    TLS_FAMILY,
    check_export_to,
    check_port,
    check_selector,
    is_cidr,
    is_dns_label,
    is_fqdn,
    is_ip,
    is_unix_address,
    is_wildcard_domain,
    protocol_of,
)
from meshctl_operator.apis.validation.workload_entry import UNIX, check_workload

_WAYPOINT: Final = "istio.io/use-waypoint"
_MAX_LIST: Final = 256
_MAX_ENDPOINTS: Final = 4096
_MAX_ADDRESS: Final = 64
_DYNAMIC_PROTOCOLS: Final = frozenset({"HTTP", "TLS", "GRPC", "HTTP2"})
_RANGES: Final = frozenset({Resolution.NONE, Resolution.STATIC})


def check_service_entry(spec: ServiceEntrySpec, findings: Findings) -> None:
    """Check a ServiceEntry alone."""
    _check_hosts(spec, findings)
    _check_addresses(spec, findings)
    _check_ports(spec, findings)
    _check_resolution(spec, findings)
    _check_endpoints(spec, findings)
    _check_traffic(spec, findings)
    check_export_to(spec.export_to, "spec.exportTo", findings, none=True)
    selector = spec.workload_selector
    if selector is not None:
        check_selector(selector.labels, "spec.workloadSelector.labels", findings)
        if len(selector.labels) > _MAX_LIST:
            message = f"has {len(selector.labels)} entries, at most {_MAX_LIST} are allowed"
            findings.error(codes.BAD_SELECTOR, "spec.workloadSelector.labels", message)
        if spec.resolution is Resolution.NONE:
            message = "has no effect with resolution NONE, which sends traffic to the address that the client asked for"
            findings.warn(codes.DOUBTFUL_SE, "spec.workloadSelector", message, hint="use resolution STATIC")


def check_service_entry_labels(spec: ServiceEntrySpec, labels: Mapping[str, str], findings: Findings) -> None:
    """Check what the labels of a ServiceEntry go with."""
    if _WAYPOINT in labels and spec.resolution is Resolution.DYNAMIC_DNS and spec.location is Location.MESH_INTERNAL:
        message = f"MESH_INTERNAL is not allowed with resolution DYNAMIC_DNS and the label {_WAYPOINT}"
        findings.error(codes.BAD_RESOLUTION, "spec.location", message, hint="use MESH_EXTERNAL")


def _check_hosts(spec: ServiceEntrySpec, findings: Findings) -> None:
    if not 1 <= len(spec.hosts) <= _MAX_LIST:
        message = f"has {len(spec.hosts)} entries" if spec.hosts else "is required"
        findings.error(codes.BAD_SE_HOSTS, "spec.hosts", message, hint=f"give 1 to {_MAX_LIST} hosts")
    for index, host in enumerate(spec.hosts):
        path = f"spec.hosts[{index}]"
        if host == "*" or not is_wildcard_domain(host):
            problem = "stands for every host" if host == "*" else "is not a DNS name"
            findings.error(codes.BAD_SE_HOSTS, path, f'"{host}" {problem}', hint="name the host, or *.suffix")
        elif host.startswith("*") and not host.startswith("*.") and spec.resolution is not Resolution.DYNAMIC_DNS:
            findings.warn(
                codes.BAD_SE_HOSTS, path, f'"{host}" is a partial wildcard, which TLS cannot match', hint='write "*." and a suffix'
            )


def _check_addresses(spec: ServiceEntrySpec, findings: Findings) -> None:
    if len(spec.addresses) > _MAX_LIST:
        message = f"has {len(spec.addresses)} entries, at most {_MAX_LIST} are allowed"
        findings.error(codes.BAD_SE_ADDRESSES, "spec.addresses", message)
    for index, address in enumerate(spec.addresses):
        path = f"spec.addresses[{index}]"
        if len(address) > _MAX_ADDRESS or not (is_ip(address) or is_cidr(address)):
            findings.error(codes.BAD_SE_ADDRESSES, path, f'"{address}" is neither an IP address nor a range')
        elif "/" in address and spec.resolution not in _RANGES:
            message = f'"{address}" is a range, which resolution {spec.resolution} does not allow'
            findings.error(codes.BAD_SE_ADDRESSES, path, message, hint="ranges go with NONE and STATIC")


def _check_ports(spec: ServiceEntrySpec, findings: Findings) -> None:
    numbers: dict[int, str] = {}
    names: dict[str, str] = {}
    for index, port in enumerate(spec.ports):
        path = f"spec.ports[{index}]"
        check_port(port.number, f"{path}.number", findings)
        if port.number in numbers:
            findings.error(codes.BAD_SE_PORTS, f"{path}.number", f"{port.number} is already the number of {numbers[port.number]}")
        if not is_dns_label(port.name):
            message = f'"{port.name}" is not a DNS label' if port.name else "is required"
            findings.error(codes.BAD_SE_PORTS, f"{path}.name", message)
        elif port.name in names:
            findings.error(codes.BAD_SE_PORTS, f"{path}.name", f'"{port.name}" is already the name of {names[port.name]}')
        numbers.setdefault(port.number, path)
        names.setdefault(port.name, path)
        if port.protocol and protocol_of(port.protocol) is None:
            hint = "leave it out to have it sniffed"
            findings.error(codes.UNKNOWN_PROTOCOL, f"{path}.protocol", f'"{port.protocol}" is no protocol', hint=hint)
        if port.target_port or "target_port" in port.model_fields_set:
            check_port(port.target_port, f"{path}.targetPort", findings)


def _check_resolution(spec: ServiceEntrySpec, findings: Findings) -> None:
    if spec.resolution.is_dns and not spec.endpoints:
        for index, host in enumerate(spec.hosts):
            if not is_fqdn(host):
                message = f'"{host}" cannot be resolved by DNS'
                hint = "list endpoints, or use resolution NONE"
                findings.error(codes.BAD_RESOLUTION, f"spec.hosts[{index}]", message, hint=hint)
    if spec.resolution is not Resolution.DYNAMIC_DNS:
        return
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*"):
            message = f'"{host}" is no wildcard'
            findings.error(codes.BAD_RESOLUTION, f"spec.hosts[{index}]", message, hint="use resolution DNS for one name")
    if spec.addresses:
        findings.error(codes.BAD_RESOLUTION, "spec.addresses", "is not allowed with resolution DYNAMIC_DNS")
    for index, port in enumerate(spec.ports):
        if protocol_of(port.protocol) not in _DYNAMIC_PROTOCOLS:
            message, hint = f'"{port.protocol}" carries no host name to resolve', "use HTTP, HTTP2, GRPC or TLS"
            findings.error(codes.BAD_RESOLUTION, f"spec.ports[{index}].protocol", message, hint=hint)


def _check_endpoints(spec: ServiceEntrySpec, findings: Findings) -> None:
    is_given = "endpoints" in spec.model_fields_set
    if is_given and spec.workload_selector is not None:
        findings.error(codes.BAD_SE_ENDPOINTS, "spec.endpoints", "is not allowed beside workloadSelector", hint="keep one of them")
    if (is_given and spec.resolution is Resolution.NONE) or (spec.endpoints and spec.resolution is Resolution.DYNAMIC_DNS):
        hint = "use resolution STATIC or DNS"
        findings.error(codes.BAD_SE_ENDPOINTS, "spec.endpoints", f"is not allowed with resolution {spec.resolution}", hint=hint)
    most = 1 if spec.resolution is Resolution.DNS_ROUND_ROBIN else _MAX_ENDPOINTS
    if len(spec.endpoints) > most:
        message = f"has {len(spec.endpoints)} entries, at most {most} {'is' if most == 1 else 'are'} allowed"
        findings.error(codes.BAD_SE_ENDPOINTS, "spec.endpoints", message)
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        path = f"spec.endpoints[{index}]"
        check_workload(endpoint, path, findings)
        _check_endpoint_address(endpoint, spec, path, findings)
        for name in endpoint.ports:
            if name not in names and is_dns_label(name):
                known = f"spec.ports has {', '.join(sorted(names))}" if names else None
                findings.error(codes.BAD_SE_ENDPOINTS, f"{path}.ports.{name}", f'"{name}" is no port of the service', hint=known)


def _check_endpoint_address(endpoint: WorkloadEntrySpec, spec: ServiceEntrySpec, path: str, findings: Findings) -> None:
    address, where = endpoint.address, f"{path}.address"
    if not address:
        if not endpoint.network or spec.resolution.is_dns:
            findings.error(codes.BAD_SE_ENDPOINTS, where, "is required")
    elif spec.resolution is Resolution.STATIC:
        if address.startswith(UNIX):
            if len(spec.ports) != 1 and is_unix_address(address):
                message = f"a Unix socket serves one port, but the service has {len(spec.ports)}"
                findings.error(codes.BAD_SE_ENDPOINTS, where, message)
        elif not is_ip(address) and is_fqdn(address):
            message = f'"{address}" is a name, but resolution is STATIC'
            findings.error(codes.BAD_SE_ENDPOINTS, where, message, hint="use resolution DNS")
    elif spec.resolution.is_dns and address.startswith(UNIX):
        findings.error(codes.BAD_SE_ENDPOINTS, where, f'"{address}" is a Unix socket, but resolution is {spec.resolution}')


def _check_traffic(spec: ServiceEntrySpec, findings: Findings) -> None:
    """Check whether traffic for the hosts can be told apart from other traffic."""
    if len(spec.hosts) > 1 and spec.resolution is not Resolution.NONE:
        for index, port in enumerate(spec.ports):
            if not port.protocol or _is_plain_tcp(port):
                message = f"{port.protocol or 'a sniffed protocol'} carries no host name, so {len(spec.hosts)} hosts cannot share the port"
                way_out = "write one ServiceEntry for each host"
                findings.error(codes.BAD_SE_HOSTS, f"spec.ports[{index}].protocol", message, hint=way_out)
                return
    is_tcp_only = bool(spec.ports) and all(_is_plain_tcp(port) for port in spec.ports)
    if is_tcp_only and not spec.addresses:
        hint = "add addresses"
        findings.warn(codes.DOUBTFUL_SE, "spec.addresses", "is empty: any TCP traffic to these ports is taken for this service", hint=hint)

    shares = len(spec.hosts) > 1 and bool(spec.addresses) and spec.resolution.is_dns
    if shares and any(_is_tcp(port) for port in spec.ports):
        message, hint = (
            f"is shared by {len(spec.hosts)} hosts: by address alone they cannot be told apart",
            "write one ServiceEntry for each host",
        )
        findings.warn(codes.DOUBTFUL_SE, "spec.addresses", message, hint=hint)


def _is_tcp(port: ServicePort) -> bool:
    protocol = protocol_of(port.protocol)
    return protocol is not None and protocol not in HTTP_FAMILY | {"UDP"}


def _is_plain_tcp(port: ServicePort) -> bool:
    protocol = protocol_of(port.protocol)
    return protocol is not None and protocol not in HTTP_FAMILY | TLS_FAMILY
