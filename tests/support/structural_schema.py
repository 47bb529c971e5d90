"""What an API server says: whether a schema is structural, and whether it accepts an object under strict field validation.

An interpretation of the part of OpenAPI that our schemas use. The order is the server's: unknown fields, then nulls, which are taken away
from fields and mappings that are not nullable, then validation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from meshctl_operator.apis.crds import root_schema
from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.schema import Node, Shape, node_of

Schema = Mapping[str, Any]

_VALUE_VALIDATION: Final = {"required", "enum", "minimum", "maximum", "format", "allOf", "anyOf", "oneOf", "not", "properties", "items"}
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
_EITHER: Final = "x-kubernetes-int-or-string"
_STRUCTURE: Final = {
    *("type", "description", "properties", "items", "additionalProperties", "nullable", "default"),
    *(_OPEN, _EITHER, "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}
_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


def structural_faults(schema: Schema, path: str = "") -> Iterator[str]:
    """Yield what keeps a schema from being structural, or is refused in a CustomResourceDefinition."""
    unknown = schema.keys() - _STRUCTURE - _VALUE_VALIDATION
    if unknown:
        yield f"{path}: {sorted(unknown)} is not allowed"
    if "type" not in schema and not schema.get(_EITHER) and not schema.get(_OPEN):
        yield f"{path}: has no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{path}: properties and additionalProperties exclude each other"
    if schema.get("additionalProperties") is False:
        yield f"{path}: additionalProperties is false"
    if schema.get("type") == "array" and "items" not in schema:
        yield f"{path}: a list without items"
    yield from _list_map_faults(schema, path)
    for key, inner in schema.get("properties", {}).items():
        yield from structural_faults(inner, f"{path}.{key}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            yield from structural_faults(schema[key], f"{path}.{key}")
    if schema.get(_EITHER):
        if schema.get("anyOf") != [{"type": "integer"}, {"type": "string"}]:
            yield f"{path}: the only anyOf beside int-or-string is of these two types"
        return
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(key, ()):
            yield from _junction_faults(inner, schema, f"{path}.{key}")
    if "not" in schema:
        yield from _junction_faults(schema["not"], schema, f"{path}.not")


def _junction_faults(part: Schema, around: Schema, path: str) -> Iterator[str]:
    """Yield faults of a part of a junction: it may validate values, of fields that the schema around it has, and nothing else."""
    if part.keys() - _VALUE_VALIDATION:
        yield f"{path}: {sorted(part.keys() - _VALUE_VALIDATION)} is not allowed within a junction"
    for name in part.get("required", ()):
        if name not in around.get("properties", {}):
            yield f"{path}: requires {name}, which is not specified outside"
    for key in ("allOf", "anyOf", "oneOf"):
        for inner in part.get(key, ()):
            yield from _junction_faults(inner, around, path)
    if "not" in part:
        yield from _junction_faults(part["not"], around, path)


def _list_map_faults(schema: Schema, path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-list-type") == "map":
        items = schema.get("items", {})
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            if key not in items.get("required", ()) or items["properties"][key]["type"] != "string":
                yield f"{path}: the key {key} of a list map must be a required scalar"


def refusals(document: Mapping[str, Any]) -> list[str]:
    """Return why an API server with our CRDs would refuse a document of a routing kind, given with ``fieldValidation=Strict``."""
    kind = Kind(document["kind"])
    body = {key: document[key] for key in document if key != "metadata"}
    if isinstance(body.get("spec"), Mapping):
        body["spec"] = as_json(body["spec"], node_of(ROUTING_SPECS[kind]))
    return list(_refusals(body, root_schema(kind), ""))


def as_json(raw: Any, node: Node | None) -> Any:
    """Return a value in the spelling of API servers.

    Files may also be written as protobuf's JSON: fields under their protobuf names and numbers in quotes, which no API server takes.
    """
    if node is None:
        return raw
    if node.fields is not None and isinstance(raw, Mapping):
        fields = node.fields
        return {fields[key].alias if key in fields else key: as_json(raw[key], fields[key].node if key in fields else None) for key in raw}
    if node.shape is Shape.MAP and isinstance(raw, Mapping):
        return {key: as_json(value, node.item) for key, value in raw.items()}
    if node.shape is Shape.LIST and isinstance(raw, list | tuple):
        return [as_json(value, node.item) for value in raw]
    if node.shape in {Shape.INTEGER, Shape.NUMBER} and isinstance(raw, str):
        try:
            return int(raw) if node.shape is Shape.INTEGER else float(raw)
        except ValueError:
            return raw
    return raw


def _refusals(value: Any, schema: Schema, path: str) -> Iterator[str]:
    if value is None and schema.get("nullable"):
        return
    wanted = schema.get("type")
    if wanted is not None and not _is_a(value, wanted):
        yield f"{path}: {value!r} is not of type {wanted}"
        return
    if schema.get(_EITHER) and (isinstance(value, bool) or not isinstance(value, int | str)):
        yield f"{path}: {value!r} is neither a number nor text"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield from _limit_refusals(value, schema, path)
    if isinstance(value, Mapping):
        yield from _mapping_refusals(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _refusals(item, schema["items"], f"{path}[{index}]")
        keys = schema.get("x-kubernetes-list-map-keys")
        if keys:
            seen = [tuple(item.get(key) for key in keys) for item in value if isinstance(item, Mapping)]
            if len(set(seen)) < len(seen):
                yield f"{path}: two items with the same {keys}"


def _is_a(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[wanted])


def _limit_refusals(value: float, schema: Schema, path: str) -> Iterator[str]:
    least, most = (-(2**31), 2**31 - 1) if schema.get("format") == "int32" else (schema.get("minimum"), schema.get("maximum"))
    if (least is not None and value < least) or (most is not None and value > most):
        yield f"{path}: {value} is out of range"


def _mapping_refusals(value: Mapping[str, Any], schema: Schema, path: str) -> Iterator[str]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties")
    present = {
        key: item for key, item in value.items() if item is not None or (fields.get(key, others) or {"nullable": True}).get("nullable")
    }
    for key, item in present.items():
        inner = fields.get(key, others)
        if inner is not None:
            yield from _refusals(item, inner, f"{path}.{key}")
        elif not schema.get(_OPEN) and schema.get("properties") is not None:
            yield f"{path}.{key}: unknown field"
    if not _holds({key: schema[key] for key in ("required", "allOf", "anyOf", "oneOf", "not") if key in schema}, present):
        yield f"{path}: required fields or a one-of are not as they should be"


def _holds(part: Schema, value: Mapping[str, Any]) -> bool:
    def each(key: str) -> Sequence[bool]:
        return [_holds(inner, value) for inner in part[key]]

    return (
        all(name in value for name in part.get("required", ()))
        and ("allOf" not in part or all(each("allOf")))
        and ("anyOf" not in part or any(each("anyOf")))
        and ("oneOf" not in part or sum(each("oneOf")) == 1)
        and ("not" not in part or not _holds(part["not"], value))
    )
