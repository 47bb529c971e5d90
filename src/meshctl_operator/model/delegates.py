"""Delegation: the rules of a VirtualService without hosts, merged into the rule that points to it (Istio ``HTTPRoute.delegate``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest, HttpRoute

V = TypeVar("V")

INHERITED: Final = (
    "rewrite",
    "direct_response",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirror_percent",
    "mirror_percentage",
    "cors_policy",
    "headers",
)
"""What a rule of a delegate takes from the root where it has none; ``mirrors`` as well. ``route`` and ``redirect`` never."""


def inherited_fields(root: HttpRoute, leaf: HttpRoute) -> frozenset[str]:
    """Return the fields that the merged rule takes from the root."""
    taken = {name for name in INHERITED if getattr(leaf, name) is None and getattr(root, name) is not None}
    return frozenset(taken | ({"mirrors"} if root.mirrors and not leaf.mirrors else set()))


def merged_rule(root: HttpRoute, leaf: HttpRoute, blocks: tuple[HttpMatchRequest, ...]) -> HttpRoute:
    """Return the leaf's rule with the given blocks, the joined name, and what it inherits."""
    name = f"{root.name}-{leaf.name}" if root.name and leaf.name else leaf.name or root.name
    taken = {field: getattr(root, field) for field in inherited_fields(root, leaf)}
    return leaf.model_copy(update={**taken, "name": name, "match": blocks})


def merged_blocks(
    root: tuple[HttpMatchRequest, ...], leaf: tuple[HttpMatchRequest, ...]
) -> tuple[tuple[int, int, HttpMatchRequest], ...] | None:
    """Return the blocks of a merged rule as (index in the root, index in the leaf, block); an index is -1 where there is no block.

    None says that every block of the leaf conflicts with all blocks of the root, or that one does: the rule is to be dropped.
    """
    if not leaf:
        return tuple((i, -1, block) for i, block in enumerate(root))
    if not root:
        return tuple((-1, j, block) for j, block in enumerate(leaf))
    found: list[tuple[int, int, HttpMatchRequest]] = []
    for j, inner in enumerate(leaf):
        matching = [(i, j, _merged_block(outer, inner)) for i, outer in enumerate(root) if not _conflicts(outer, inner)]
        if not matching:
            return None
        found += matching
    return tuple(found)


def _merged_block(root: HttpMatchRequest, leaf: HttpMatchRequest) -> HttpMatchRequest:
    return leaf.model_copy(
        update={
            "name": f"{root.name}-{leaf.name}" if root.name and leaf.name else leaf.name or root.name,
            "uri": leaf.uri or root.uri,
            "scheme": leaf.scheme or root.scheme,
            "method": leaf.method or root.method,
            "authority": leaf.authority or root.authority,
            "headers": {**root.headers, **leaf.headers},
            "without_headers": {**root.without_headers, **leaf.without_headers},
            "query_params": {**root.query_params, **leaf.query_params},
            "port": leaf.port or root.port,
            "source_labels": {**root.source_labels, **leaf.source_labels},
            "source_namespace": leaf.source_namespace or root.source_namespace,
            "gateways": leaf.gateways or root.gateways,
            "stat_prefix": leaf.stat_prefix or root.stat_prefix,
        }
    )


def _conflicts(root: HttpMatchRequest, leaf: HttpMatchRequest) -> bool:
    """Tell whether no request can satisfy both blocks, as far as Istio compares them (``spec`` of delegates: block conflict)."""
    texts = (
        (root.uri, leaf.uri),
        (root.scheme, leaf.scheme),
        (root.method, leaf.method),
        (root.authority, leaf.authority),
        *_shared(root.headers, leaf.headers),
        *_shared(root.without_headers, leaf.without_headers),
        *_shared(root.query_params, leaf.query_params),
    )
    return (
        any(_text_conflicts(outer, inner) for outer, inner in texts)
        or root.ignore_uri_case != leaf.ignore_uri_case
        or (bool(root.port) and leaf.port not in {0, root.port})
        or root.source_namespace not in {"", leaf.source_namespace}
        or any(outer != inner for outer, inner in _shared(root.source_labels, leaf.source_labels))
        or (bool(root.gateways) and not set(leaf.gateways) <= set(root.gateways))
    )


def _text_conflicts(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    if root is None or leaf is None:
        return False
    if root.exact is not None:
        return root.exact != leaf.exact
    if root.prefix is not None:
        inner = leaf.exact if leaf.exact is not None else leaf.prefix
        return inner is None or not inner.startswith(root.prefix)
    return True


def _shared(root: Mapping[str, V], leaf: Mapping[str, V]) -> tuple[tuple[V, V], ...]:
    return tuple((root[key], leaf[key]) for key in sorted(root.keys() & leaf.keys()))
