"""The line of a field: found on demand by reading the document once more, since few documents have findings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import yaml

from meshctl_operator.sources.yaml_reader import EVENT_LOADER, MAX_DEPTH

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
REMEMBERED: Final = 2048  # places kept: the same findings are located after every change of the mesh
_INDEX: Final = re.compile(r"\[(\d+)\]")


@dataclass(slots=True)
class _Spot:
    """A value of a document: the 0-based line where it (or its key) stands, and what it contains."""

    line: int
    fields: dict[str, _Spot] = field(default_factory=dict)
    items: list[_Spot] = field(default_factory=list)
    is_mapping: bool = False
    key: tuple[str, int] | None = None


@lru_cache(maxsize=REMEMBERED)
def line_of_path(text: str, path: str) -> int | None:
    """Return the 0-based line in the text of one document where ``spec.http[1].route[0].weight`` stands, or None if it cannot be read.

    What is missing (a required field, a key that the reader dropped) is reported at its nearest parent. Keys are compared without
    regard to camelCase or snake_case, since both spellings are accepted; keys that contain dots are understood.
    """
    try:
        # JSON may have tabs between its tokens and surrogate pairs in its strings; YAML may not, and neither moves a line.
        spot = _spots(_SURROGATE.sub("?", text.replace("\t", " ")))
    except (yaml.YAMLError, IndexError):
        return None
    if spot is None:
        return None
    rest = path
    while rest:
        step = _step(spot, rest)
        if step is None:
            break
        spot, rest = step
    return spot.line


def _step(spot: _Spot, rest: str) -> tuple[_Spot, str] | None:
    """Follow the first part of the path; None when the value has no such part."""
    index = _INDEX.match(rest)
    if index and not spot.is_mapping:
        number = int(index[1])
        return (spot.items[number], _tail(rest, index.end())) if number < len(spot.items) else None
    quoted = rest.startswith("[")
    for key in sorted(spot.fields, key=len, reverse=True):
        for spelling in (f'["{key}"]', f"['{key}']", f"[{key}]") if quoted else (key, _camel(key)):
            end = len(spelling)
            if rest.startswith(spelling) and rest[end : end + 1] in {"", ".", "["}:
                return spot.fields[key], _tail(rest, end)
    return None


def _tail(rest: str, end: int) -> str:
    return rest[end:].removeprefix(".")


def _camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def _spots(text: str) -> _Spot | None:
    """Read the first document of the text as spots."""
    stack: list[_Spot] = []
    for event in yaml.parse(text, Loader=EVENT_LOADER):
        line = event.start_mark.line if event.start_mark is not None else 0
        match event:
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(stack) >= MAX_DEPTH:
                    return stack[0]
                spot = _Spot(line, is_mapping=isinstance(event, yaml.MappingStartEvent))
                _attach(stack, spot)
                stack.append(spot)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                spot = stack.pop()
                if not stack:
                    return spot
            case yaml.ScalarEvent():
                if stack and stack[-1].is_mapping and stack[-1].key is None:
                    stack[-1].key = (event.value, line)
                else:
                    _attach(stack, _Spot(line))
            case yaml.AliasEvent():
                _attach(stack, _Spot(line))
            case yaml.DocumentEndEvent():
                return None
            case _:
                pass
    return None


def _attach(stack: list[_Spot], spot: _Spot) -> None:
    """Put a value under the key that waits for it, or at the end of its sequence; a field stands where its key stands."""
    if not stack:
        return
    parent = stack[-1]
    if not parent.is_mapping:
        parent.items.append(spot)
    elif parent.key is not None:
        name, spot.line = parent.key
        parent.fields[name] = spot
        parent.key = None
