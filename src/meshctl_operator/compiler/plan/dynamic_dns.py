"""Hosts that are resolved while a request is there: caches of names, and which connection managers fill them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from meshctl_operator.compiler.inputs.clusters import DnsCacheInput, DnsFamily
from meshctl_operator.compiler.inputs.listeners import FilterChainInput, HttpConnectionManagerInput, ListenerInput
from meshctl_operator.compiler.ordering import HttpFilterName, http_filter_order
from meshctl_operator.model.proxies import IpFamilies


def dns_cache(host: str, families: IpFamilies) -> DnsCacheInput:
    """Return the cache of resolved names that the cluster of a wildcard host shares with the filters before it."""
    return DnsCacheInput(f"{host}_dfp_dns_cache", dns_family(families))


def dns_family(families: IpFamilies) -> DnsFamily:
    """Return which addresses a proxy with addresses of these families asks for."""
    match families:
        case IpFamilies.V4:
            return DnsFamily.V4_ONLY
        case IpFamilies.V6:
            return DnsFamily.V6_ONLY
        case IpFamilies.DUAL:
            return DnsFamily.ALL
        case _:
            assert_never(families)


def with_caches(listener: ListenerInput, caches: tuple[DnsCacheInput, ...]) -> ListenerInput:
    """Return the listener with connection managers that resolve hosts for the caches; the very same one where there are none."""
    if not caches:
        return listener
    return with_managers(
        listener,
        lambda manager: replace(
            manager, dns_caches=caches, http_filters=http_filter_order((*manager.http_filters, HttpFilterName.DYNAMIC_FORWARD_PROXY))
        ),
    )


def with_managers(listener: ListenerInput, change: Callable[[HttpConnectionManagerInput], HttpConnectionManagerInput]) -> ListenerInput:
    """Return the listener with each of its connection managers changed."""

    def changed(chain: FilterChainInput) -> FilterChainInput:
        return replace(chain, network=change(chain.network)) if isinstance(chain.network, HttpConnectionManagerInput) else chain

    default = listener.default_chain
    return replace(
        listener,
        filter_chains=tuple(map(changed, listener.filter_chains)),
        default_chain=None if default is None else changed(default),
    )
