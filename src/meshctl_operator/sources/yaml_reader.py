"""YAML text -> plain values, one pass over the events of libyaml, with limits that a hostile file cannot pass.

PyYAML's own composer recurses in C (a deep document ends the process) and keeps the last of two equal keys in silence, and its
YAML 1.1 constructors turn dates into objects and ``22:22`` into a number. This reader follows what Kubernetes' tools make of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

from meshctl_operator.base.codes import Code
from meshctl_operator.sources import codes

MAX_DEPTH: Final = 200  # config objects nest about 15 levels
MAX_ALIASED: Final = 100_000  # values reached through aliases in one document

EVENT_LOADER: Final[type[yaml.CSafeLoader | yaml.SafeLoader]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, which every wheel of PyYAML has; a source build without it reads the same events, slower."""

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]

_TAG: Final = "tag:yaml.org,2002:"
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NUMBER_START: Final = frozenset("+-.0123456789")
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


class Flaw(Exception):  # noqa: N818  (a finding on its way to becoming a diagnostic; it never leaves this package)
    """What makes a document unusable. ``line`` counts from 0 within the text read."""

    def __init__(self, code: Code, message: str, line: int, hint: str | None = None) -> None:
        """Take the code, what was seen, and where."""
        super().__init__(message)
        self.code, self.message, self.line, self.hint = code, message, line, hint


@dataclass(slots=True)
class _Frame:
    """A collection that is being read. ``key`` is the key that waits for its value; ``size`` counts values, aliased ones included."""

    value: list[Value] | dict[str, Value]
    anchor: str | None
    key: str | None = None
    size: int = 1
    merges: list[tuple[Value, int]] = field(default_factory=list)
    merging: bool = False


def read(text: str) -> Iterator[tuple[Value, int]]:
    """Yield each document of the text as plain values with the 0-based line where its content starts. Raises Flaw at the first fault.

    A document without content is yielded as None.
    """
    try:
        events = yaml.parse(text, Loader=EVENT_LOADER)
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield _document(events)
    except yaml.YAMLError as error:
        raise _syntax(error, text) from None


def _syntax(error: yaml.YAMLError, text: str) -> Flaw:
    """Return libyaml's complaint in one line, with what it was doing."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    line = mark.line if mark is not None else text.count("\n", 0, position) if isinstance(position, int) else 0
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    context = getattr(error, "context", None)
    lines = text.splitlines()
    line = max(0, min(line, len(lines) - 1))
    hint = "indent with spaces: YAML allows no tabs there" if lines and "\t" in lines[line] else None
    return Flaw(codes.NOT_YAML, f"not YAML: {problem} {context}" if context else f"not YAML: {problem}", line, hint)


def _document(events: Iterator[yaml.Event]) -> tuple[Value, int]:
    """Read the events of one document."""
    anchors: dict[str, tuple[Value, int]] = {}
    stack: list[_Frame] = []
    start: int | None = None
    aliased = 0
    for event in events:
        if start is None:
            start = _line(event)
        anchor: str | None = getattr(event, "anchor", None)
        match event:
            case yaml.ScalarEvent():
                done: Value = _scalar(event)
                size = 1
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                if len(stack) >= MAX_DEPTH:
                    raise Flaw(codes.YAML_LIMIT, f"nests deeper than {MAX_DEPTH} levels", _line(event))
                if event.tag and event.tag not in {_TAG + "map", _TAG + "seq"}:
                    raise Flaw(codes.UNSUPPORTED_TAG, f"tag {event.tag!r} is not supported", _line(event))
                stack.append(_Frame({} if isinstance(event, yaml.MappingStartEvent) else [], anchor))
                if anchor:
                    anchors.pop(anchor, None)
                continue
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                frame = stack.pop()
                done, size, anchor = _finished(frame), frame.size, frame.anchor
            case yaml.AliasEvent():
                done, size = _aliased(event, anchors, stack)
                anchor = None
                aliased += size
                if aliased > MAX_ALIASED:
                    raise Flaw(codes.YAML_LIMIT, f"aliases expand to more than {MAX_ALIASED} values", _line(event))
            case _:  # the end of the document, which has no content
                return None, start
        if anchor:
            anchors[anchor] = (done, size)
        if not stack:
            next(events)  # the end of the document
            return done, start
        stack[-1].size += size
        _add(stack[-1], done, event)
    return None, start or 0  # pragma: no cover - the parser always ends a document


def _aliased(event: yaml.AliasEvent, anchors: dict[str, tuple[Value, int]], stack: list[_Frame]) -> tuple[Value, int]:
    """Return the value that an alias stands for, with its size."""
    if event.anchor in anchors:
        return anchors[event.anchor]
    if any(frame.anchor == event.anchor for frame in stack):
        raise Flaw(codes.YAML_LIMIT, f"alias *{event.anchor} refers to itself", _line(event))
    raise Flaw(codes.NOT_YAML, f"not YAML: alias *{event.anchor} has no anchor before it", _line(event))


def _add(frame: _Frame, value: Value, event: yaml.Event) -> None:
    """Put a value into the collection, or take it as the next key."""
    if isinstance(frame.value, list):
        frame.value.append(value)
    elif frame.merging:
        frame.merges.append((value, _line(event)))
        frame.merging = False
    elif frame.key is None:
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            frame.merging = True
            return
        frame.key = _key(value, event)
        if frame.key in frame.value:
            raise Flaw(codes.DUPLICATE_KEY, f'field "{frame.key}" is given twice', _line(event), "remove one of the two, or merge them")
    else:
        frame.value[frame.key] = value
        frame.key = None


def _key(value: Value, event: yaml.Event) -> str:
    """Return a key as the string that Kubernetes' tools make of it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case None:
            return "null"
        case _:
            raise Flaw(codes.NOT_YAML, "a list or mapping cannot be a field name", _line(event))


def _finished(frame: _Frame) -> Value:
    """Return the collection with its merge keys (``<<``) applied: what stands in the mapping itself wins, then the earlier merge."""
    value = frame.value
    if not frame.merges or isinstance(value, list):
        return value
    for merge, line in frame.merges:
        for source in merge if isinstance(merge, list) else [merge]:
            if not isinstance(source, dict):
                raise Flaw(codes.NOT_YAML, 'the value of "<<" is not a mapping', line)
            for key, inherited in source.items():
                value.setdefault(key, inherited)
    return value


def _scalar(event: yaml.ScalarEvent) -> Value:
    """Return the value of a scalar: quoted text stays text, plain text is resolved."""
    text: str = event.value
    if event.tag is None or event.tag == "!":
        if not event.implicit[0] or event.tag == "!":
            return text
        if text in _WORDS:
            return _WORDS[text]
        return _number(text) if text[0] in _NUMBER_START else text
    explicit = _EXPLICIT.get(event.tag)
    if explicit is None:
        raise Flaw(codes.UNSUPPORTED_TAG, f"tag {event.tag!r} is not supported", _line(event))
    try:
        return explicit(text)
    except (ValueError, KeyError):
        raise Flaw(codes.NOT_YAML, f"not YAML: {text!r} is no {event.tag.removeprefix(_TAG)}", _line(event)) from None


def _number(text: str) -> int | float | str:
    """Return the number that plain text stands for, else the text itself (dates, IP addresses, ``1.10.2``)."""
    if _INT.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _integer(text: str) -> int | str:
    digits = text.replace("_", "").lower()
    body = digits.lstrip("+-")
    base = 2 if body.startswith("0b") else 16 if body.startswith("0x") else 8 if len(body) > 1 and body.startswith("0") else 10
    try:
        return int(digits, base)
    except ValueError:  # more digits than Python converts, or nothing but underscores after the prefix
        return text


_EXPLICIT: Final[dict[str, Callable[[str], Value]]] = {
    _TAG + "str": str,
    _TAG + "timestamp": str,
    _TAG + "binary": str,
    _TAG + "int": lambda text: int(text, 0),
    _TAG + "float": float,
    _TAG + "bool": lambda text: bool(_WORDS[text]),
    _TAG + "null": lambda _: None,
}


def _line(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark is not None else 0
