"""Label maps of Kubernetes and the subset test that every selector uses."""

from __future__ import annotations

from collections.abc import Mapping

Labels = tuple[tuple[str, str], ...]
"""A label map as a frozen, sorted tuple of pairs: hashable, so that it can stand in a view or a key."""


def freeze(labels: Mapping[str, str] | None) -> Labels:
    """Return the map as sorted pairs."""
    return tuple(sorted((labels or {}).items()))


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether every pair of the selector is among the labels; the empty selector selects everything."""
    return all(labels.get(key) == value for key, value in selector.items())
