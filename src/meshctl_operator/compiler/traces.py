"""Where a compiled resource is kept among the derivations, for the debug page that tells why it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from meshctl_operator.base.diagnostics import Compiled
from meshctl_operator.compiler import compiler, outbound, routes
from meshctl_operator.compiler.resources import CompiledResource
from meshctl_operator.compiler.routes import RouteTable
from meshctl_operator.incremental.engine import Engine, NodeKey

_LEAVES: Final[frozenset[Callable[..., Any]]] = frozenset({*outbound.LEAVES, *routes.LEAVES, *routes.TABLES, *compiler.LEAVES})


def compiled_resources(engine: Engine, name: str) -> Iterator[tuple[NodeKey, CompiledResource]]:
    """Yield every resource of a name with the derivation that made it."""
    for key, value in engine.results(_LEAVES):
        found = value.value if isinstance(value, Compiled) else value
        if isinstance(found, RouteTable) and found.name == name:
            found = found.whole()
        resource = found.get(name) if isinstance(found, dict) else found
        if isinstance(resource, CompiledResource) and resource.name == name:
            yield key, resource
