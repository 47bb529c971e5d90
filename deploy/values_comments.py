"""The comments of a chart's ``values.yaml``: what each value is for and what it may be, as a table for people and as a JSON schema for Helm.

A value is described by the comment above it, which begins with ``# --`` and may go on in further lines. Lines that begin with ``# @`` say what
is allowed: ``@enum a, b`` (an empty word is the empty text), ``@type integer, string``, ``@pattern REGEX``, ``@min N`` and ``@port``. Without
``@type`` the default says what type a value has. A map that is described is open for any key; one that is not holds exactly what stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

JsonObject = dict[str, object]

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][\w.-]*):")
_COMMENT = re.compile(r"^ *# ?(?P<text>.*)$")
_LAST_PORT = 65_535
_TYPES: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True, slots=True)
class Described:
    """One value: its path, what it is for, its default, and the ``@`` lines about it."""

    path: tuple[str, ...]
    text: str
    default: object
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The path as ``--set`` takes it."""
        return ".".join(self.path)


def read(text: str) -> tuple[Described, ...]:
    """Return the described values of a ``values.yaml``, in their order. Raises ValueError for a value without a description."""
    found = tuple(_described(text))
    defaults = yaml.safe_load(text)
    missing = [".".join(path) for path in _leaves(defaults, ()) if not any(path[: len(each.path)] == each.path for each in found)]
    if missing:
        raise ValueError(f"no description of {', '.join(missing)}")
    return found


def table(values: tuple[Described, ...]) -> str:
    """Return the rows of a Markdown table."""
    rows = ["| value | default | what it is for |", "|---|---|---|"]
    for each in values:
        allowed = _words(each)
        what = f"{each.text}{f' ({allowed})' if allowed else ''}".replace("|", "\\|")
        rows.append(f"| `{each.name}` | `{json.dumps(each.default)}` | {what} |")
    return "\n".join(rows) + "\n"


def schema(values: tuple[Described, ...], title: str) -> JsonObject:
    """Return the JSON schema: unknown values are refused, but for the globals of parent charts."""
    root = _closed()
    for each in values:
        node = root
        for name in each.path[:-1]:
            children = node["properties"]
            assert isinstance(children, dict)
            node = children.setdefault(name, _closed())
        children = node["properties"]
        assert isinstance(children, dict)
        children[each.path[-1]] = _value_schema(each)
    properties = root["properties"]
    assert isinstance(properties, dict)
    properties.setdefault("global", {"type": "object"})["additionalProperties"] = True
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **root}


def _described(text: str) -> Iterator[Described]:
    defaults = yaml.safe_load(text)
    above: list[str] = []
    stack: list[tuple[int, str]] = []
    for line in text.splitlines():
        comment = _COMMENT.match(line)
        if comment is not None:
            above.append(comment["text"])
            continue
        key = _KEY.match(line)
        if key is not None:
            depth = len(key["indent"])
            while stack and stack[-1][0] >= depth:
                stack.pop()
            stack.append((depth, key["key"]))
            path = tuple(name for _, name in stack)
            if above and above[0].startswith("-- "):
                words = " ".join(said for said in above if not said.startswith("@")).removeprefix("-- ")
                tags = dict(said.removeprefix("@").partition(" ")[::2] for said in above if said.startswith("@"))
                yield Described(path, words, _at(defaults, path), tags)
        above = []


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        assert isinstance(value, dict)
        value = value[name]
    return value


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, (*path, name))
    else:
        yield path


def _closed() -> JsonObject:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _value_schema(each: Described) -> JsonObject:
    found: JsonObject = {"description": each.text, "type": _TYPES[type(each.default)]}
    for tag, said in each.tags.items():
        match tag:
            case "enum":
                found["enum"] = _choices(said)
            case "type":
                found["type"] = _choices(said)
            case "pattern":
                found["pattern"] = said
            case "min":
                found["minimum"] = int(said)
            case "port":
                found |= {"minimum": 0, "maximum": _LAST_PORT}
            case _:
                raise ValueError(f"{each.name}: @{tag} means nothing")
    return found


def _choices(said: str) -> list[str]:
    return [word.strip() for word in said.split(",")]


def _words(each: Described) -> str:
    """Return which words are allowed, for people."""
    words = [f"`{word}`" if word else "empty" for word in _choices(each.tags.get("enum", ""))]
    return ", ".join(words) if "enum" in each.tags else ""
