"""The shape of the models, read once from their annotations: what decoding, support warnings and the field reference walk along."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from meshctl_operator.apis.meta import OneOfModel
from meshctl_operator.apis.support import NullItems, ValidatedOnly
from meshctl_operator.base.durations import Duration


class Shape(StrEnum):
    """What kind of value stands at a place; the values are the names of the field reference."""

    MESSAGE = "message"
    LIST = "list"
    MAP = "map"
    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "boolean"
    ENUM = "enum"
    DURATION = "duration"
    BYTES = "base64"
    OPAQUE = "any"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One place: its shape, the fields of a message (by YAML name and by protobuf name), the item of a list or map, an enum's values.

    ``one_ofs`` are the groups of fields (by YAML name) of which a message may set one, ``least`` and ``most`` the limits of a number;
    ``null_items`` says that null stands for an empty item.
    """

    shape: Shape
    name: str = ""
    fields: dict[str, FieldNode] | None = None
    item: Node | None = None
    values: tuple[str, ...] = ()
    one_ofs: tuple[tuple[str, ...], ...] = ()
    least: int | None = None
    most: int | None = None
    null_items: bool = False

    @property
    def field_names(self) -> tuple[str, ...]:
        """The YAML names of a message's fields, in the order of the model."""
        return tuple(dict.fromkeys(field.alias for field in (self.fields or {}).values()))

    @property
    def has_markers(self) -> bool:
        """Whether any field below carries a support marker."""
        if self.item is not None:
            return self.item.has_markers
        return any(field.marked for field in (self.fields or {}).values())


@dataclass(frozen=True, slots=True, eq=False)
class FieldNode:
    """One field: its YAML name, its place in the model, its support marker, and whether it or anything below it is marked."""

    alias: str
    attribute: str
    node: Node
    info: FieldInfo
    marker: ValidatedOnly | None
    marked: bool


@lru_cache(maxsize=256)
def node_of(model: type[BaseModel]) -> Node:
    """Return the shape of a model."""
    fields: dict[str, FieldNode] = {}
    for attribute, info in model.model_fields.items():
        node = _node(info.annotation, info.metadata)
        marker = next((item for item in info.metadata if isinstance(item, ValidatedOnly)), None)
        field = FieldNode(info.alias or attribute, attribute, node, info, marker, marker is not None or node.has_markers)
        fields[field.alias] = fields[attribute] = field
    groups = model.one_ofs if issubclass(model, OneOfModel) else ()
    one_ofs = tuple(tuple(fields[name].alias for name in group) for group in groups)
    return Node(Shape.MESSAGE, model.__name__.removesuffix("Spec"), fields=fields, one_ofs=one_ofs)


def resolve(node: Node, steps: tuple[str | int, ...]) -> Node | None:
    """Return the place that the steps lead to, or None when there is no such field."""
    current: Node | None = node
    for step in steps:
        if current is None:
            return None
        if current.fields is not None:
            field = current.fields.get(str(step))
            current = field.node if field is not None else None
        else:
            current = current.item
    return current


_LEAVES = {str: Shape.TEXT, bool: Shape.FLAG, float: Shape.NUMBER, bytes: Shape.BYTES, Duration: Shape.DURATION}


def _node(annotation: object, metadata: Iterable[object] = ()) -> Node:
    """Return the shape of a type; ``metadata`` is what pydantic has already taken off it."""
    bare, found = _strip(annotation)
    found = (*metadata, *found)
    nulls = any(isinstance(item, NullItems) for item in found)
    origin = get_origin(bare)
    if origin is tuple:
        return Node(Shape.LIST, item=_node(get_args(bare)[0]), null_items=nulls)
    if origin is dict:
        return Node(Shape.MAP, item=_node(get_args(bare)[1]), null_items=nulls)
    if isinstance(bare, type):
        if issubclass(bare, BaseModel):
            return node_of(bare)
        if issubclass(bare, StrEnum):
            return Node(Shape.ENUM, bare.__name__, values=tuple(choice.value for choice in bare))
        if bare is int:
            return Node(Shape.INTEGER, least=_limit(found, Ge), most=_limit(found, Le))
        if bare in _LEAVES:
            return Node(_LEAVES[bare])
    return Node(Shape.OPAQUE)


def _limit(metadata: Iterable[object], of: type[Ge | Le]) -> int | None:
    """Return the limit of one direction among the metadata of an integer, or None."""
    for item in metadata:
        if isinstance(item, of):
            bound = item.ge if isinstance(item, Ge) else item.le
            return bound if isinstance(bound, int) else None
    return None


def _strip(annotation: object) -> tuple[object, tuple[object, ...]]:
    """Take ``Annotated`` and ``| None`` off a type; the metadata is returned beside it."""
    bare = annotation
    metadata: list[object] = []
    while True:
        origin = get_origin(bare)
        if origin is Annotated:
            bare, *extras = get_args(bare)
            for extra in extras:
                metadata += extra.metadata if isinstance(extra, FieldInfo) else [extra]
        elif origin in {Union, UnionType}:
            choices = [choice for choice in get_args(bare) if choice is not NoneType]
            if len(choices) != 1:
                return bare, tuple(metadata)
            bare = choices[0]
        else:
            return bare, tuple(metadata)
