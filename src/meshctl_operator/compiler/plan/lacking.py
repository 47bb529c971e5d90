"""Filters that an Envoy was built without: a listener that names one would be refused as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshctl_operator.compiler.inputs.listeners import FilterChainInput, HttpConnectionManagerInput, ListenerInput
from meshctl_operator.compiler.ordering import HttpFilterName

MONGO: Final = "envoy.filters.network.mongo_proxy"


def without(listener: ListenerInput, lacking: tuple[str, ...]) -> ListenerInput:
    """Return the listener without filters that the proxy lacks and that traffic can do without; the very same one where there are none."""
    if not lacking:
        return listener
    default = listener.default_chain
    return replace(
        listener,
        filter_chains=tuple(_chain(chain, lacking) for chain in listener.filter_chains),
        default_chain=None if default is None else _chain(default, lacking),
    )


def _chain(chain: FilterChainInput, lacking: tuple[str, ...]) -> FilterChainInput:
    network = chain.network
    if isinstance(network, HttpConnectionManagerInput):
        kept: tuple[HttpFilterName, ...] = tuple(name for name in network.http_filters if name.value not in lacking)
        return replace(chain, network=replace(network, http_filters=kept))
    return replace(chain, network=replace(network, mongo=network.mongo and MONGO not in lacking))
