"""Every field of a model as a path, and where documents set it: what tests of completeness walk over.

A path is written as in the field reference: ``http[].match[].headers{}.exact``, ``[]`` for the items of a list and ``{}`` for the values of
a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from meshctl_operator.apis.schema import Node, Shape, node_of

Steps = tuple[str | int, ...]


@dataclass(frozen=True)
class Use:
    """One place in a document that sets a field: ``path`` as in the reference (``=VALUE`` behind the path of an enum), ``steps`` to it."""

    path: str
    steps: Steps


def field_paths(model: type[BaseModel]) -> Iterator[str]:
    """Yield the path of every field, and one more for every value of an enum."""
    yield from _paths(node_of(model), "")


def _paths(node: Node, prefix: str) -> Iterator[str]:
    for alias in node.field_names:
        inner = (node.fields or {})[alias].node
        path = prefix + alias
        while inner.item is not None:
            path += "[]" if inner.shape is Shape.LIST else "{}"
            inner = inner.item
        yield path
        if inner.shape is Shape.ENUM:
            yield from (f"{path}={value}" for value in inner.values)
        if inner.fields:
            yield from _paths(inner, f"{path}.")


def uses(document: Mapping[str, Any], model: type[BaseModel]) -> Iterator[Use]:
    """Yield every field that a spec sets."""
    yield from _uses(document, node_of(model), "", ())


def _uses(value: Any, node: Node, path: str, steps: Steps) -> Iterator[Use]:
    if node.fields is None or not isinstance(value, Mapping):
        return
    for key, item in value.items():
        field = node.fields.get(key)
        if field is not None:
            here = (*steps, key)
            yield from _values(item, field.node, f"{path}{field.alias}", here, here)


def _values(value: Any, node: Node, path: str, steps: Steps, field: Steps) -> Iterator[Use]:
    """Yield the field itself and what is below it; ``steps`` lead to the value, ``field`` to the field that holds it."""
    if node.item is not None:
        pairs = enumerate(value) if node.shape is Shape.LIST else value.items()
        suffix = "[]" if node.shape is Shape.LIST else "{}"
        if not value:
            yield Use(path + suffix, field)
        for key, item in pairs:
            yield from _values(item, node.item, path + suffix, (*steps, key), field)
        return
    yield Use(path, field)
    if node.shape is Shape.ENUM:
        yield Use(f"{path}={value}", field)
    yield from _uses(value, node, f"{path}.", steps)


def without(document: dict[str, Any], steps: Steps) -> dict[str, Any]:
    """Return a copy of a spec without the field that the steps lead to."""
    copy = deepcopy(document)
    current: Any = copy
    for step in steps[:-1]:
        current = current[step]
    del current[steps[-1]]
    return copy
