"""Domains of virtual hosts: every name by which clients may call a service."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from meshctl_operator.base.hostname import is_ip
from meshctl_operator.model.services import Service

_CLUSTER_MARK = ".svc."


@dataclass(frozen=True, slots=True)
class Domains:
    """The domains of a service in Istio's order; ``expanded`` are those that were derived, and give way to full names of others."""

    names: tuple[str, ...]
    expanded: frozenset[str]


def domain_name(host: str, port: int) -> str:
    """Return ``host:port`` with IPv6 addresses in brackets: the name of a virtual host."""
    return f"{_bracketed(host)}:{port}"


def host_domains(host: str, port: int) -> tuple[str, ...]:
    """Return the domains of a host that is no known service; with a port, also ``host:port``. Port 0 adds none."""
    return _with_port(host, port)


def service_domains(service: Service, dns_domain: str, port: int) -> Domains:
    """Return the domains of a service as a client of a DNS domain (``ns.svc.cluster.local``) may call it.

    Full name, absolute name, short names, pod names of a headless service, and addresses. ``port`` 0 adds no ``:port`` variants: the
    route configuration ignores ports then.
    """
    names: list[str] = []
    expanded: list[str] = []
    for host in (service.host, *service.aliases):
        derived = _derived(host, dns_domain, port)
        names += [*_with_port(host, port), *derived]
        expanded += derived
    if service.is_headless:
        names += [f"*.{name}" for name in names]
    for address in service.addresses:
        names += _with_port(address, port)
    full = {name for host in (service.host, *service.aliases) for name in _with_port(host, port)}
    return Domains(tuple(dict.fromkeys(names)), frozenset(expanded) - full)


def concerning(service: Service, dns_domain: str) -> str:
    """Return what of the DNS domain of a client decides about the domains of a service: its namespace only if the service is there too."""
    if _CLUSTER_MARK not in dns_domain:
        return dns_domain
    client, suffix = _split_cluster_name(dns_domain)
    own = f".{client}{suffix}"
    return dns_domain if any(host.endswith(own) for host in (service.host, *service.aliases)) else suffix


def unique_domains(domains: Iterable[str], expanded: frozenset[str], full_names: frozenset[str], taken: set[str]) -> tuple[str, ...]:
    """Return the domains that nobody has yet, comparing without regard to case, and add them to ``taken``.

    A derived name that is the full name of another service is left to that one.
    """
    found = []
    for domain in domains:
        lowered = domain.lower()
        if lowered in taken or (domain in expanded and lowered in full_names):
            continue
        taken.add(lowered)
        found.append(domain)
    return tuple(found)


def _derived(host: str, dns_domain: str, port: int) -> list[str]:
    out = [] if is_ip(host) else list(_with_port(f"{host}.", port))
    if _CLUSTER_MARK in dns_domain:
        client, suffix = _split_cluster_name(dns_domain)
        if not host.endswith(suffix):
            return out
        base = host[: host.find(_CLUSTER_MARK)]
        name, _, namespace = base.partition(".")
        if not name or not namespace:
            return out
        short = [name, f"{base}.svc", base] if namespace == client else [base, f"{base}.svc"]
    else:
        short = _shared_suffix_variants(host, dns_domain)
    return out + [domain for variant in short for domain in _with_port(variant, port)]


def _split_cluster_name(dns_domain: str) -> tuple[str, str]:
    mark = dns_domain.index(_CLUSTER_MARK)
    return dns_domain[:mark], dns_domain[mark:]


def _shared_suffix_variants(host: str, dns_domain: str) -> list[str]:
    """Return the short names outside of Kubernetes: what is left of the host when the labels shared with the DNS domain are stripped."""
    labels, domain = host.split("."), [label for label in dns_domain.split(".") if label]
    shared = 0
    while shared < min(len(labels), len(domain)) and labels[-1 - shared] == domain[-1 - shared]:
        shared += 1
    unique = labels[: len(labels) - shared]
    if not shared or not unique:
        return []
    text = ".".join(unique)
    return [text, f"{text}.{labels[len(unique)]}"] if len(unique) == 2 else [text]  # noqa: PLR2004  (service.namespace)


def _with_port(host: str, port: int) -> tuple[str, ...]:
    return (_bracketed(host), domain_name(host, port)) if port else (_bracketed(host),)


@lru_cache(maxsize=1 << 16)
def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ":" in host and ipaddress.ip_address(host).version == 6 else host  # noqa: PLR2004  (the version of the protocol)
    except ValueError:
        return host
