"""Tests of listeners for an Envoy that was built without some filters."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.listeners import (
    Direction,
    FilterChainInput,
    HttpConnectionManagerInput,
    ListenerInput,
    TcpProxyInput,
)
from meshctl_operator.compiler.ordering import HttpFilterName
from meshctl_operator.compiler.plan.lacking import MONGO, without

MANAGER = FilterChainInput(HttpConnectionManagerInput("h", "80", (HttpFilterName.CORS, HttpFilterName.ROUTER)))
PROXY = FilterChainInput(TcpProxyInput("t", (("c", 1),), mongo=True))
LISTENER = ListenerInput("l", "10.0.0.1", 80, Direction.OUTBOUND, (MANAGER,), PROXY)


def test_what_is_lacking_is_left_out() -> None:
    """Filters that the proxy lacks are gone from every chain, the others stay."""
    found = without(LISTENER, (HttpFilterName.CORS.value, MONGO))
    (chain,) = found.filter_chains
    assert isinstance(chain.network, HttpConnectionManagerInput)
    assert found.default_chain is not None
    assert isinstance(found.default_chain.network, TcpProxyInput)
    assert (chain.network.http_filters, found.default_chain.network.mongo) == ((HttpFilterName.ROUTER,), False)


def test_stock_envoys_lack_nothing() -> None:
    """Without anything lacking the listener is the same object."""
    assert without(LISTENER, ()) is LISTENER
