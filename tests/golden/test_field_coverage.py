"""Every field of the kinds that describe services, policies and scopes is in some golden case; the list comes from the models."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.schema import Node, Shape, node_of
from tests.support.golden import ROOT

KINDS = (Kind.DESTINATION_RULE, Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY, Kind.WORKLOAD_GROUP, Kind.SIDECAR)
OF_GATEWAYS = frozenset({"ServerTls", "TlsCertificate", "LabelSelector"})
"""Messages that belong to Gateway; a Sidecar's ingress has them, and lets them alone."""
NOT_ALLOWED = frozenset(
    {
        ("SidecarPort", "targetPort"),
        ("OutboundTrafficPolicy", "mode", "ALLOW_ANY_DYNAMIC_DNS"),
    }
)
"""What no valid object can have."""

Row = tuple[str, ...]


def rows(node: Node) -> Iterator[Row]:
    """Yield (message, field) and (message, field, value of an enum) of all that can be said below a place."""
    while node.item is not None:
        node = node.item
    for name in node.field_names if node.name not in OF_GATEWAYS else ():
        inner = (node.fields or {})[name].node
        yield node.name, name
        while inner.item is not None:
            inner = inner.item
        if inner.shape is Shape.ENUM:
            yield from ((node.name, name, value) for value in inner.values)
        yield from rows(inner)


def said(node: Node, value: Any) -> Iterator[Row]:
    """Yield the rows that a document uses."""
    if node.item is not None:
        items = value.values() if isinstance(value, dict) else value
        for item in items:
            yield from said(node.item, item)
    elif node.fields is not None:
        for name, inner in value.items():
            field = node.fields[name]
            yield node.name, name
            if field.node.shape is Shape.ENUM:
                yield node.name, name, str(inner)
            yield from said(field.node, inner)


@cache
def covered() -> frozenset[Row]:
    """Return the rows that the inputs of all golden cases use."""
    found: set[Row] = set()
    for path in ROOT.glob("*/*/*.yaml"):
        if path.name.startswith("xds.") or path.name in {"case.yaml", "diagnostics.yaml"}:
            continue
        for document in yaml.safe_load_all(path.read_text()):
            if isinstance(document, dict) and document.get("kind") in set(KINDS):
                found.update(said(node_of(ROUTING_SPECS[Kind(document["kind"])]), document["spec"]))
    return frozenset(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_a_case(kind: Kind) -> None:
    """A field without a golden case fails, and so does a value of a closed choice."""
    missing = {row for row in rows(node_of(ROUTING_SPECS[kind])) if row not in covered() and row not in NOT_ALLOWED}
    assert sorted(missing) == []
