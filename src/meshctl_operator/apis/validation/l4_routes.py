"""Rules of ``tls`` and ``tcp`` rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from meshctl_operator.apis.networking.virtual_service import (
    L4MatchAttributes,
    RouteDestination,
    TcpRoute,
    TlsMatchAttributes,
    TlsRoute,
    VirtualServiceSpec,
)
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.destinations import MESH_GATEWAY, check_destination, check_gateway_names, check_weights
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import check_labels, check_port, is_cidr, is_ip, is_wildcard_domain
from meshctl_operator.base import hostname

_GENERATED_SNI: Final = re.compile(r"outbound_\.\d+_\.[^_]*_\..+")


def check_tls_route(route: TlsRoute, spec: VirtualServiceSpec, path: str, findings: Findings) -> None:
    """Check one TLS rule of a VirtualService."""
    if not route.match:
        findings.error(codes.BAD_L4_MATCH, f"{path}.match", "is required", hint="a TLS rule matches on sniHosts")
    for index, block in enumerate(route.match):
        where = f"{path}.match[{index}]"
        if not block.sni_hosts:
            findings.error(codes.BAD_L4_MATCH, f"{where}.sniHosts", "is required", hint="name the servers as in spec.hosts")
        for position, sni in enumerate(block.sni_hosts):
            _check_sni(sni, spec, f"{where}.sniHosts[{position}]", findings)
        _check_block(block, where, findings)
    _check_destinations(route.route, path, findings)


def check_tcp_route(route: TcpRoute, path: str, findings: Findings) -> None:
    """Check one TCP rule of a VirtualService."""
    for index, block in enumerate(route.match):
        _check_block(block, f"{path}.match[{index}]", findings)
    _check_destinations(route.route, path, findings)


def _check_sni(sni: str, spec: VirtualServiceSpec, path: str, findings: Findings) -> None:
    is_gateway_only = bool(spec.gateways) and MESH_GATEWAY not in spec.gateways
    if is_gateway_only and _GENERATED_SNI.fullmatch(sni):
        return
    if is_ip(sni):
        findings.warn(codes.BAD_L4_MATCH, path, f'"{sni}": clients send no server name for an IP address', hint="use destinationSubnets")
    elif not is_wildcard_domain(sni):
        findings.error(codes.BAD_L4_MATCH, path, f'"{sni}" is not a DNS name')
        return
    elif hostname.is_wildcard(sni) and sni != "*" and not sni.startswith("*."):
        findings.warn(codes.BAD_L4_MATCH, path, f'"{sni}" is a partial wildcard, which Envoy refuses: it is left out', hint='use "*."')
    if spec.hosts and not any(hostname.subset_of(sni, host) for host in spec.hosts):
        hint = f"spec.hosts has {', '.join(spec.hosts[:5])}"
        findings.error(codes.BAD_L4_MATCH, path, f'"{sni}" is covered by no host of the VirtualService', hint=hint)


def _check_block(block: L4MatchAttributes | TlsMatchAttributes, path: str, findings: Findings) -> None:
    for index, subnet in enumerate(block.destination_subnets):
        if not is_ip(subnet) and not is_cidr(subnet):
            message = f'"{subnet}" is neither an IP address nor a range'
            findings.error(codes.BAD_ADDRESS, f"{path}.destinationSubnets[{index}]", message)
    if block.port:
        check_port(block.port, f"{path}.port", findings)
    check_labels(block.source_labels, f"{path}.sourceLabels", findings)
    check_gateway_names(block.gateways, f"{path}.gateways", findings)


def _check_destinations(destinations: Sequence[RouteDestination], path: str, findings: Findings) -> None:
    if not destinations:
        findings.error(codes.NO_ROUTES, f"{path}.route", "is required", hint="name the destination")
        return
    for index, entry in enumerate(destinations):
        check_destination(entry.destination, f"{path}.route[{index}].destination", findings)
    check_weights([entry.weight for entry in destinations], f"{path}.route", findings)
