"""The field reference ``docs/reference/fields.md``, generated from the models: path, type, default, state and note of each field.

Run ``python -m meshctl_operator.apis.reference > docs/reference/fields.md``; a test fails when the committed file differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.schema import FieldNode, Node, Shape, node_of
from meshctl_operator.apis.support import ValidatedOnly
from meshctl_operator.base.durations import Duration

COMPILED: Final = "compiled"
VALIDATED: Final = "validated only"

_INTRODUCTION: Final = """\
# Fields and how far they reach

Generated from the models; do not edit.

Every field of the routing kinds is read and checked. *Compiled* fields change what proxies do. Fields that are *validated only* have no
effect yet; an object that uses one gets the warning MC1902, which names the path. Where only some values are affected, the note lists
them. `[]` stands for the items of a list, `{}` for the values of a map.
"""

_CONDITIONAL: Final = {
    "VirtualService": {
        "http[].match[].headers{}": "no tokens are verified yet, so no request has a claim (`@request.auth.claims...`)",
        "http[].match[].withoutHeaders{}": "no tokens are verified yet, so every request lacks a claim (`@request.auth.claims...`)",
    },
    "ServiceEntry": {
        "workloadSelector": "with a resolution by DNS validated only: the host itself is resolved",
    },
}
"""Support that depends on more than the field: these places give their warning by a rule of ``apis.validation``."""


def render() -> str:
    """Return the whole page."""
    sections = [_INTRODUCTION]
    for kind, model in ROUTING_SPECS.items():
        versions = ", ".join(KINDS[kind].versions)
        sections.append(_section(kind.value, f"`networking.istio.io` {versions}; paths below `spec`.", model))
    sections.append(
        _section(Kind.MESH_CONFIG.value, "The mesh-wide settings; other fields of Istio's MeshConfig give a warning.", MeshConfig)
    )
    return "\n".join(sections)


def _section(title: str, remark: str, model: type[BaseModel]) -> str:
    lines = [f"## {title}", "", remark, "", "| Field | Type | Default | State | Note |", "|---|---|---|---|---|"]
    conditional = _CONDITIONAL.get(title, {})
    for path, field, marker, same_as in _fields(node_of(model), "", None, {}):
        state, note = _state(marker)
        same = f"fields as in `{same_as}`" if same_as else ""
        remark = "; ".join(part for part in (note, conditional.get(path, ""), same) if part)
        lines.append(f"| `{path}` | {_type(field.node)} | {_default(field)} | {state} | {_escaped(remark)} |")
    return "\n".join(lines) + "\n"


_Row = tuple[str, FieldNode, ValidatedOnly | None, str]


def _fields(node: Node, prefix: str, inherited: ValidatedOnly | None, shown: dict[tuple[str, bool], str]) -> Iterator[_Row]:
    """Yield (path, field, marker, path of an equal message shown before) of every field, depth first.

    What stands below a marked field shares its marker.
    """
    for name in node.field_names:
        field = (node.fields or {})[name]
        marker = inherited or field.marker
        path, inner = f"{prefix}{field.alias}", field.node
        while inner.item is not None:
            path += "[]" if inner.shape is Shape.LIST else "{}"
            inner = inner.item
        below = marker if marker is not None and not marker.values else None
        same_as = shown.get((inner.name, below is None)) if inner.fields else None
        yield (path, field, marker, same_as or "")
        if inner.fields and same_as is None:
            shown[inner.name, below is None] = path
            yield from _fields(inner, f"{path}.", below, shown)


def _state(marker: ValidatedOnly | None) -> tuple[str, str]:
    if marker is None:
        return COMPILED, ""
    if marker.values:
        return COMPILED, f"{VALIDATED} with {', '.join(f'`{value}`' for value in sorted(marker.values))}: {marker.note}"
    return VALIDATED, marker.note


def _type(node: Node) -> str:
    match node.shape:
        case Shape.LIST if node.item is not None:
            return f"list of {_type(node.item)}"
        case Shape.MAP if node.item is not None:
            return f"map of {_type(node.item)}"
        case Shape.MESSAGE:
            return node.name
        case Shape.ENUM:
            return f"{node.name}: {', '.join(node.values)}"
        case _:
            return node.shape.value


def _default(field: FieldNode) -> str:
    if field.info.is_required():
        return "required"
    value = field.info.get_default(call_default_factory=True, validated_data={})
    match value:
        case None | "" | () | BaseModel():
            return ""
        case dict():
            return ""
        case bool():
            return "" if not value else "`true`"
        case StrEnum():
            return f"`{value.value}`"
        case tuple():
            return ", ".join(f"`{item}`" for item in value)
        case int() | float() | Duration() | str():
            return f"`{value}`" if value not in (0, "") else ""
        case _:
            return f"`{value}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
