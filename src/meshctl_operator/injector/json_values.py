"""Plain JSON values, read without assuming that they have the shape they should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JsonObject = dict[str, Json]
T = TypeVar("T")


def as_object(value: object) -> JsonObject:
    """Return the value if it is an object, else an empty one."""
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_objects(value: object) -> list[JsonObject]:
    """Return the objects of a list; whatever else is in it is left out."""
    return [cast("JsonObject", item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_texts(value: object) -> dict[str, str]:
    """Return the pairs of an object whose values are text, such as labels."""
    return {key: item for key, item in value.items() if isinstance(item, str)} if isinstance(value, dict) else {}


def as_text(value: object) -> str:
    """Return text, and nothing for anything else."""
    return value if isinstance(value, str) else ""


def copied(value: T) -> T:
    """Return a copy in which lists and objects are new."""
    if isinstance(value, Mapping):
        return cast("T", {key: copied(item) for key, item in value.items()})
    if isinstance(value, list):
        return cast("T", [copied(item) for item in value])
    return value


def diff(before: Json, after: Json, path: str = "") -> list[JsonObject]:
    """Return the JSON Patch (RFC 6902) that makes one value of the other. A list whose length changes is replaced as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        operations: list[JsonObject] = []
        for key in [*before, *(key for key in after if key not in before)]:
            where = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in after:
                operations.append({"op": "remove", "path": where})
            elif key not in before:
                operations.append({"op": "add", "path": where, "value": after[key]})
            else:
                operations += diff(before[key], after[key], where)
        return operations
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            operation for index, (old, new) in enumerate(zip(before, after, strict=True)) for operation in diff(old, new, f"{path}/{index}")
        ]
    same = before == after and type(before) is type(after)
    return [] if same else [{"op": "replace", "path": path, "value": after}]
