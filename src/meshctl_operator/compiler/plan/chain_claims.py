"""Which connections of a listener already belong to a filter chain. Envoy rejects a listener in which two chains claim the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final

from meshctl_operator.compiler.inputs.listeners import FilterChainInput

_Claim = tuple[int, str, str, str, str]
_ANY: Final = ("",)


@dataclass(slots=True)
class ChainClaims:
    """The claims of one listener: first come, first served."""

    _owners: dict[_Claim, FilterChainInput] = field(default_factory=dict)

    def owner(self, chain: FilterChainInput) -> FilterChainInput | None:
        """Return the first chain that claims a connection which this one claims as well."""
        return next((self._owners[claim] for claim in _claims(chain) if claim in self._owners), None)

    def take(self, chain: FilterChainInput) -> FilterChainInput | None:
        """Claim what is still free of the chain's server names or ranges; return the chain cut down to that, None if nothing is."""
        match = chain.match
        if match.server_names:
            free = tuple(name for name in match.server_names if self._is_free(replace(chain, match=replace(match, server_names=(name,)))))
            cut = replace(chain, match=replace(match, server_names=free)) if free else None
        elif match.prefix_ranges:
            free = tuple(cidr for cidr in match.prefix_ranges if self._is_free(replace(chain, match=replace(match, prefix_ranges=(cidr,)))))
            cut = replace(chain, match=replace(match, prefix_ranges=free)) if free else None
        else:
            cut = chain if self._is_free(chain) else None
        if cut is not None:
            for claim in _claims(cut):
                self._owners[claim] = cut
        return cut

    def _is_free(self, chain: FilterChainInput) -> bool:
        return all(claim not in self._owners for claim in _claims(chain))


def _claims(chain: FilterChainInput) -> Iterator[_Claim]:
    """Yield each combination of values that Envoy's matcher would file the chain under; names of servers are compared in lower case."""
    match = chain.match
    names = tuple(name.lower() for name in match.server_names) or _ANY
    for cidr, name, protocol in product(match.prefix_ranges or _ANY, names, match.application_protocols or _ANY):
        yield match.destination_port, cidr, name, match.transport_protocol, protocol
