"""Tests of hosts that are resolved while a request is there."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.inputs.clusters import DnsCacheInput, DnsFamily
from meshctl_operator.compiler.inputs.listeners import (
    Direction,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
    TcpProxyInput,
)
from meshctl_operator.compiler.ordering import HttpFilterName
from meshctl_operator.compiler.plan.dynamic_dns import dns_cache, with_caches
from meshctl_operator.compiler.plan.outbound_listeners import plan_outbound_listeners
from meshctl_operator.model.proxies import IpFamilies, ProxyRole
from meshctl_operator.model.views import OutboundView
from tests.support.mesh_text import TextMesh

MANAGER = FilterChainInput(HttpConnectionManagerInput("h", "80", (HttpFilterName.ROUTER,)))
PROXY = FilterChainInput(TcpProxyInput("t", (("c", 1),)))
LISTENER = ListenerInput("l", "0.0.0.0", 80, Direction.OUTBOUND, (MANAGER,), PROXY)
VIEW = OutboundView(ProxyRole.SIDECAR, "default", "default.svc.cluster.local")


@pytest.mark.parametrize(
    ("families", "family"), [(IpFamilies.V4, DnsFamily.V4_ONLY), (IpFamilies.V6, DnsFamily.V6_ONLY), (IpFamilies.DUAL, DnsFamily.ALL)]
)
def test_caches_are_named_after_their_host(families: IpFamilies, family: DnsFamily) -> None:
    """A cache belongs to one wildcard host, and asks for addresses that the proxy can reach."""
    assert dns_cache("*.example.com", families) == DnsCacheInput("*.example.com_dfp_dns_cache", family)


def test_connection_managers_resolve() -> None:
    """The filter stands before the router, and TCP proxies are let alone."""
    cache = dns_cache("h", IpFamilies.V4)
    found = with_caches(LISTENER, (cache,))
    (chain,) = found.filter_chains
    assert isinstance(chain.network, HttpConnectionManagerInput)
    assert (chain.network.dns_caches, chain.network.http_filters) == (
        (cache,),
        (HttpFilterName.DYNAMIC_FORWARD_PROXY, HttpFilterName.ROUTER),
    )
    assert found.default_chain == PROXY
    assert with_caches(LISTENER, ()) is LISTENER


def test_only_ports_of_the_host_resolve() -> None:
    """The listener of a port resolves for the hosts of that port; TLS connections are resolved by their server name."""
    entry = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: default}
spec: {hosts: ["%s"], resolution: %s, ports: [%s]}
---
"""
    http, tls = "{number: 80, name: http, protocol: HTTP}", "{number: 443, name: tls, protocol: TLS}"
    other = entry % ("other", "b.example.com", "DNS", "{number: 8080, name: http, protocol: HTTP}")
    mesh = TextMesh(entry % ("dynamic", "*.example.com", "DYNAMIC_DNS", f"{http}, {tls}") + other)
    listeners = {each.input.port: each.input for each in mesh.evaluate(plan_outbound_listeners, VIEW).value}
    caches = {
        port: chain.network.dns_caches
        for port, listener in listeners.items()
        for chain in listener.filter_chains
        if isinstance(chain.network, HttpConnectionManagerInput)
    }
    cache = dns_cache("*.example.com", IpFamilies.V4)
    assert caches == {80: (cache,), 8080: ()}
    (chain,) = listeners[443].filter_chains
    assert isinstance(chain.network, TcpProxyInput)
    assert (chain.network.dns_cache, chain.network.dns_port) == (cache, 443)


def test_any_host() -> None:
    """Where the mesh resolves unknown hosts, captured HTTP goes where its host leads to."""
    mesh = TextMesh("", outboundTrafficPolicy={"mode": "ALLOW_ANY_DYNAMIC_DNS"})
    (capture,) = mesh.evaluate(plan_outbound_listeners, VIEW).value
    assert [chain.name for chain in capture.input.filter_chains] == [
        "virtualOutbound-blackhole",
        "virtualOutbound-catchall-http",
        "virtualOutbound-catchall-tcp",
    ]
