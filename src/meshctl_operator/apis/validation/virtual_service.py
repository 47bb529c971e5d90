"""Rules of ``VirtualService``: hosts, gateways, and which action a rule may have. The parts of a rule have modules of their own."""

from __future__ import annotations

from collections.abc import Sequence

from meshctl_operator.apis.networking.virtual_service import HttpRoute, VirtualServiceSpec
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.destinations import MESH_GATEWAY, check_destination, check_gateway_names, check_weights
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.header_operations import check_authority_once, check_headers
from meshctl_operator.apis.validation.http_actions import (
    check_cors,
    check_direct_response,
    check_fault,
    check_mirrors,
    check_redirect,
    check_retries,
    check_rewrite,
)
from meshctl_operator.apis.validation.http_match import check_http_matches
from meshctl_operator.apis.validation.l4_routes import check_tcp_route, check_tls_route
from meshctl_operator.apis.validation.primitives import check_export_to, check_period, is_ip, is_wildcard_domain
from meshctl_operator.apis.validation.reachability import check_http_reachability, check_l4_reachability
from meshctl_operator.base import hostname


def check_virtual_service(spec: VirtualServiceSpec, findings: Findings) -> None:
    """Check a VirtualService alone."""
    applies_to_mesh = not spec.gateways or MESH_GATEWAY in spec.gateways
    is_delegate = not spec.hosts
    if is_delegate:
        _check_delegate(spec, findings)
    _check_hosts(spec.hosts, findings, applies_to_mesh=applies_to_mesh)
    check_gateway_names(spec.gateways, "spec.gateways", findings)
    check_export_to(spec.export_to, "spec.exportTo", findings)
    if not spec.http and not spec.tls and not spec.tcp:
        findings.error(codes.NO_ROUTES, "spec", "has no http, tls or tcp rules", hint="add at least one rule")
    for index, route in enumerate(spec.http):
        _check_http_route(route, f"spec.http[{index}]", findings, is_delegate=is_delegate, applies_to_mesh=applies_to_mesh)
    for index, tls in enumerate(spec.tls):
        check_tls_route(tls, spec, f"spec.tls[{index}]", findings)
    for index, tcp in enumerate(spec.tcp):
        check_tcp_route(tcp, f"spec.tcp[{index}]", findings)
    check_http_reachability(spec.http, "spec.http", findings)
    check_l4_reachability(spec.tls, "spec.tls", findings)
    check_l4_reachability(spec.tcp, "spec.tcp", findings)


def _check_delegate(spec: VirtualServiceSpec, findings: Findings) -> None:
    for name, is_set in (("gateways", spec.gateways), ("tls", spec.tls), ("tcp", spec.tcp)):
        if is_set:
            hint = "a VirtualService without hosts is a delegate: it has http rules alone"
            findings.error(codes.BAD_DELEGATE, f"spec.{name}", "is not allowed without hosts", hint=hint)


def _check_hosts(hosts: Sequence[str], findings: Findings, *, applies_to_mesh: bool) -> None:
    for index, host in enumerate(hosts):
        path = f"spec.hosts[{index}]"
        if host == "*" and applies_to_mesh:
            hint = "name the hosts, or set gateways to what it is meant for"
            findings.error(codes.BAD_VS_HOSTS, path, '"*" is not allowed for the gateway "mesh"', hint=hint)
        elif not is_wildcard_domain(host) and not is_ip(host):
            findings.error(codes.BAD_VS_HOSTS, path, f'"{host}" is neither a DNS name nor an IP address')
    seen: dict[str, int] = {}
    for index, host in enumerate(hosts):
        if host in seen:
            findings.error(codes.BAD_VS_HOSTS, f"spec.hosts[{index}]", f'"{host}" is listed twice')
        seen.setdefault(host, index)
    wildcards = [host for host in seen if hostname.is_wildcard(host)]
    for host, index in seen.items():
        cover = next((wild for wild in wildcards if wild != host and hostname.subset_of(host, wild)), None)
        if cover is not None:
            findings.error(codes.BAD_VS_HOSTS, f"spec.hosts[{index}]", f'"{host}" is covered by "{cover}"', hint="keep one of them")


def _check_http_route(route: HttpRoute, path: str, findings: Findings, *, is_delegate: bool, applies_to_mesh: bool) -> None:
    _check_action(route, path, findings, is_delegate=is_delegate)
    if route.match:
        check_http_matches(route.match, f"{path}.match", findings, applies_to_mesh=applies_to_mesh)
        for index, block in enumerate(route.match):
            if block.gateways:
                check_gateway_names(block.gateways, f"{path}.match[{index}].gateways", findings)
    for index, entry in enumerate(route.route):
        check_destination(entry.destination, f"{path}.route[{index}].destination", findings)
        if entry.headers is not None:
            check_headers(entry.headers, f"{path}.route[{index}].headers", findings)
            check_authority_once(None, entry.headers, f"{path}.route[{index}]", findings)
    if route.route:
        check_weights([entry.weight for entry in route.route], f"{path}.route", findings)
    if route.timeout is not None:
        check_period(route.timeout, f"{path}.timeout", findings)
    if route.redirect is not None:
        check_redirect(route, f"{path}.redirect", findings)
    if route.direct_response is not None:
        check_direct_response(route.direct_response, f"{path}.directResponse", findings)
    if route.rewrite is not None:
        check_rewrite(route.rewrite, f"{path}.rewrite", findings)
    if route.retries is not None:
        check_retries(route.retries, f"{path}.retries", findings)
    if route.fault is not None:
        check_fault(route.fault, f"{path}.fault", findings)
    if route.cors_policy is not None:
        check_cors(route.cors_policy, f"{path}.corsPolicy", findings)
    if route.headers is not None:
        check_headers(route.headers, f"{path}.headers", findings)
        check_authority_once(route.rewrite, route.headers, path, findings)
    for place, mirror in check_mirrors(route, path, findings):
        check_destination(mirror, place, findings)


def _check_action(route: HttpRoute, path: str, findings: Findings, *, is_delegate: bool) -> None:
    if route.delegate is not None:
        if is_delegate:
            findings.error(codes.BAD_DELEGATE, f"{path}.delegate", "a delegate cannot delegate again")
        for name, is_set in (("route", bool(route.route)), ("redirect", route.redirect is not None)):
            if is_set:
                findings.error(codes.BAD_DELEGATE, f"{path}.{name}", "is not allowed beside delegate", hint="keep one of them")
        if not route.delegate.name:
            findings.warn(codes.BAD_DELEGATE, f"{path}.delegate.name", "is empty, so there is nothing to delegate to")
        return
    others = {"route": bool(route.route), "fault": route.fault is not None, "rewrite": route.rewrite is not None}
    if route.redirect is not None:
        excluded, action = others | {"directResponse": route.direct_response is not None}, "redirect"
    elif route.direct_response is not None:
        excluded, action = others, "directResponse"
    else:
        if not route.route:
            hint = "add route, redirect, directResponse or delegate"
            findings.error(codes.NO_ROUTES, path, "does not say what happens to a request", hint=hint)
        return
    for name, is_set in excluded.items():
        if is_set:
            findings.error(codes.ACTION_CONFLICT, f"{path}.{name}", f"is not allowed beside {action}", hint="keep one of them")
