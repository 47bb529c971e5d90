"""From the shape of a model to a structural schema, as API servers ask of CustomResourceDefinitions.

A schema states types, closed choices, one-ofs and required fields, and the limits of integers. It is never stricter than ``decode``, nor
than Istio's own schema: whatever an API server stores today must still fit. Rules beyond that are the admission webhook's. A one-of is
an ``oneOf`` of ``required``, since expressions have a budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from meshctl_operator.apis.descriptions import DESCRIPTIONS
from meshctl_operator.apis.schema import FieldNode, Node, Shape

Schema: TypeAlias = dict[str, object]

REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "Destination": ("host",),
    "DestinationRule": ("host",),
    "EgressListener": ("hosts",),
    "HttpCookie": ("name",),
    "HttpDirectResponse": ("status",),
    "HttpMirrorPolicy": ("destination",),
    "HttpRouteDestination": ("destination",),
    "IngressListener": ("port",),
    "Port": ("protocol", "name"),
    "RouteDestination": ("destination",),
    "Server": ("port", "hosts"),
    "ServiceEntry": ("hosts",),
    "ServicePort": ("name",),
    "Subset": ("name",),
    "TlsMatchAttributes": ("sniHosts",),
    "TlsRoute": ("match",),
    "Tunnel": ("targetHost", "targetPort"),
    "WorkloadGroup": ("template",),
}
"""Fields that Istio's schema asks for as well, and that no object is accepted without."""

_MAP_KEYS: Final[Mapping[tuple[str, str], str]] = {("ServiceEntry", "ports"): "name"}
"""Lists whose items are told apart by a field, so that server-side apply merges them item by item (as in Istio's schema)."""

_FORMER_NAMES: Final[Mapping[tuple[str, str], str]] = {("HttpRoute", "mirrorPercent"): "mirror_percent"}
"""Fields that stored objects may have under their protobuf name, which Istio's schema has beside the other."""

_INT32: Final = (-(2**31), 2**31 - 1)
_INT64: Final = (-(2**63), 2**63 - 1)

_SCALARS: Final[Mapping[Shape, Mapping[str, object]]] = {
    Shape.TEXT: {"type": "string"},
    Shape.DURATION: {"type": "string"},
    Shape.BYTES: {"type": "string"},
    Shape.NUMBER: {"type": "number", "format": "double"},
    Shape.FLAG: {"type": "boolean"},
    Shape.OPAQUE: {"x-kubernetes-preserve-unknown-fields": True},
}


def message_schema(node: Node) -> Schema:
    """Return the schema of a message: its fields with their descriptions, and what must or may be set."""
    texts = DESCRIPTIONS.get(node.name, {})
    properties: Schema = {}
    for name in node.field_names:
        field = (node.fields or {})[name]
        properties[name] = _described(texts.get(name, ""), _field_schema(node.name, field))
        former = _FORMER_NAMES.get((node.name, name))
        if former is not None:
            properties[former] = _described(f"Former spelling of {name}.", _field_schema(node.name, field))
    schema: Schema = {"type": "object", "properties": properties, **_one_ofs(node.one_ofs)}
    required = REQUIRED.get(node.name)
    if required:
        schema["required"] = list(required)
    return schema


def _field_schema(message: str, field: FieldNode) -> Schema:
    schema = _schema(field.node)
    key = _MAP_KEYS.get((message, field.alias))
    if key is not None:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return schema


def _schema(node: Node) -> Schema:
    match node.shape:
        case Shape.MESSAGE:
            return message_schema(node)
        case Shape.LIST if node.item is not None:
            return {"type": "array", "items": _item(node, node.item)}
        case Shape.MAP if node.item is not None:
            # Of a mapping an API server drops a null that its schema does not allow, and a condition with it; the rules refuse it instead.
            return {"type": "object", "additionalProperties": {**_schema(node.item), "nullable": True}}
        case Shape.ENUM:
            return {"type": "string", "enum": list(node.values)}
        case Shape.INTEGER:
            return _integer(node.least, node.most)
        case _:
            return dict(_SCALARS[node.shape])


def _item(holder: Node, item: Node) -> Schema:
    return {**_schema(item), "nullable": True} if holder.null_items else _schema(item)


def _integer(least: int | None, most: int | None) -> Schema:
    if (least, most) == _INT32:
        return {"type": "integer", "format": "int32"}
    schema: Schema = {"type": "integer"}
    if least is not None and least > _INT64[0]:
        schema["minimum"] = least
    if most is not None and most < _INT64[1]:  # numbers beyond are not exact in JSON, so an API server cannot compare them
        schema["maximum"] = most
    return schema


def _one_ofs(groups: Sequence[Sequence[str]]) -> Schema:
    """Return the keywords that allow none or one field of each group."""
    each: list[Schema] = []
    for group in groups:
        alone: list[Schema] = [{"required": [name]} for name in group]
        each.append({"oneOf": [{"not": {"anyOf": alone}}, *alone]})
    return each[0] if len(each) == 1 else {"allOf": each} if each else {}


def _described(text: str, schema: Schema) -> Schema:
    return {"description": text, **schema} if text else schema
