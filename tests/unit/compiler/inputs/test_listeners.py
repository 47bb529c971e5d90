"""Listener inputs: what they ask for."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.listeners import (
    ClientTrustInput,
    Direction,
    DownstreamTlsInput,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
    TcpProxyInput,
    authority_names,
    key_pair_names,
    rds_names,
)
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput


def manager(route: str | RouteConfigurationInput) -> HttpConnectionManagerInput:
    """Return a connection manager."""
    return HttpConnectionManagerInput("p", route, ())


def listener(*chains: FilterChainInput, default: FilterChainInput | None = None) -> ListenerInput:
    """Return a listener with chains."""
    return ListenerInput("l", "0.0.0.0", 80, Direction.OUTBOUND, chains, default)


def test_rds_names() -> None:
    """Route names are those of every chain, the default one included, sorted and once each; inline routes are not asked for."""
    chains = (FilterChainInput(manager("b")), FilterChainInput(manager(RouteConfigurationInput("inline"))), FilterChainInput(manager("b")))
    assert rds_names(listener(*chains, default=FilterChainInput(manager("a")))) == ("a", "b")


def test_secret_names() -> None:
    """Secret names are those of every TLS context, sorted and once each, apart by what they are used for."""
    tcp = TcpProxyInput("c", (("c", 1),))
    chains = (
        FilterChainInput(tcp, tls=DownstreamTlsInput(("kubernetes://b", "kubernetes://a"), ())),
        FilterChainInput(tcp, tls=DownstreamTlsInput(("kubernetes://a",), (), clients=ClientTrustInput("kubernetes://a-cacert"))),
        FilterChainInput(tcp),
    )
    assert key_pair_names(listener(*chains)) == ("kubernetes://a", "kubernetes://b")
    assert authority_names(listener(*chains)) == ("kubernetes://a-cacert",)


def test_inputs_are_keys() -> None:
    """Equal inputs are one key: an input is what the emitted bytes are remembered by."""
    assert len({listener(FilterChainInput(manager("a"))), listener(FilterChainInput(manager("a")))}) == 1
