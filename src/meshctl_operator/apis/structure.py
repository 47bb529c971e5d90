"""From what pydantic says about a document to findings that a person can act on; and what can be saved of a broken document."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from meshctl_operator.apis import codes
from meshctl_operator.apis.paths import join, parent
from meshctl_operator.apis.schema import Node, Shape, node_of, resolve
from meshctl_operator.apis.support import ValidatedOnly
from meshctl_operator.base.codes import Code
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey

ModelT = TypeVar("ModelT", bound=BaseModel)
Loc = tuple[str | int, ...]

MAX_FINDINGS: Final = 100  # a document of garbage is not worth more
_MAX_SHOWN: Final = 80
_MAX_ROUNDS: Final = 8
_DROPPED: Final = object()


def seen(value: object) -> str:
    """Return how a message shows a value of the user: scalars as they stand in JSON, anything else by its type."""
    match value:
        case str() if len(value) > _MAX_SHOWN:
            return json.dumps(value[:_MAX_SHOWN] + "...", ensure_ascii=False)
        case None | bool() | int() | float() | str():
            return json.dumps(value, ensure_ascii=False)
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case _:
            return f"a value of type {type(value).__name__}"


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Return the choice that is meant by a misspelt word, or None when nothing is close."""
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """Return a hint that names the closest choice, or None when nothing is close."""
    choice = closest(word, choices)
    return None if choice is None else f'did you mean "{choice}"?'


def read(model: type[ModelT], raw: object, report: StructureReport) -> ModelT:
    """Read a document into a model. Whatever does not fit is reported and left out; what remains is always a valid model."""
    try:
        return model.model_validate(raw)
    except ValidationError:
        pass
    node = node_of(model)
    cleaned = _normalised(raw, node)
    for attempt in range(_MAX_ROUNDS):
        try:
            return model.model_validate(cleaned)
        except ValidationError as error:
            details = error.errors(include_url=False)
        if attempt == 0:
            report.add(node, details)
        cleaned = _without(cleaned, node, [_place(detail) for detail in details])
    return model.model_validate({})


def marked(raw: object, node: Node, path: str) -> Iterator[tuple[str, object, ValidatedOnly]]:
    """Yield (path, value, marker) of each field in a valid document that is checked but not compiled."""
    if node.fields is None:
        if node.item is None or not node.item.has_markers:
            return
        if isinstance(raw, Mapping):
            for key, value in raw.items():
                yield from marked(value, node.item, join(path, (str(key),)))
        elif isinstance(raw, list | tuple):
            for index, value in enumerate(raw):
                yield from marked(value, node.item, f"{path}[{index}]")
        return
    if not isinstance(raw, Mapping):
        return
    for key, value in raw.items():
        field = node.fields.get(key)
        if field is None or not field.marked:
            continue
        marker = field.marker
        if marker is None:
            yield from marked(value, field.node, f"{path}.{field.alias}")
        elif (_spelling(value) in marker.values) if marker.values else (value or isinstance(value, Mapping)):
            yield (f"{path}.{field.alias}", value, marker)


def _spelling(value: object) -> str:
    """Return how YAML spells a scalar, to compare it with the values of a marker."""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else ""


class StructureReport:
    """Collects what is wrong with the structure of one object."""

    def __init__(self, subject: ObjectKey, base: str, *, code: Code | None = None, show_values: bool = True) -> None:
        """Take the object, the path of the document in it, a code to use for everything, and whether values may be shown."""
        self.subject = subject
        self.base = base
        self.code = code
        self.show_values = show_values
        self.diagnostics: list[Diagnostic] = []
        self._wrong: set[str] = set()
        self._around: set[str] = set()
        self._dropped: set[str] = set()

    def add(self, node: Node, details: list[ErrorDetails]) -> None:
        """Report what pydantic found in a document of the given shape."""
        for detail in details[:MAX_FINDINGS]:
            self.diagnostics.append(self._finding(node, detail))
            loc, place = detail["loc"], _place(detail)
            if detail["type"] == "extra_forbidden":
                around = resolve(node, loc[:-1])
                meant = closest(str(loc[-1]), around.field_names) if around is not None else None
                self._wrong.add(join(self.base, (*loc[:-1], meant) if meant else loc))
                continue
            self._wrong.add(join(self.base, loc))
            self._around.add(join(self.base, loc[:-1]))
            # positions behind a dropped item of a list no longer mean what they did
            is_item = bool(place) and isinstance(place[-1], int)
            self._dropped.add(join(self.base, place[:-1] if is_item else place))

    def explains(self, path: str) -> bool:
        """Tell whether a finding at the path may be a mere consequence of what is wrong here.

        It may when it stands at a wrong value, beside one, around one, or in what was left out.
        """
        if path in self._wrong or path in self._around or (self._around and parent(path) in self._around):
            return True
        below = (f"{path}.", f"{path}[")
        return any(wrong.startswith(below) for wrong in self._wrong) or any(
            path.startswith((f"{dropped}.", f"{dropped}[")) for dropped in self._dropped
        )

    def _finding(self, node: Node, detail: ErrorDetails) -> Diagnostic:
        loc = detail["loc"]
        path = join(self.base, loc)
        place = resolve(node, loc)
        value = seen(detail["input"]) if self.show_values else "the value"
        match detail["type"]:
            case "extra_forbidden":
                around = resolve(node, loc[:-1]) or node
                names = around.field_names
                hint = did_you_mean(str(loc[-1]), names)
                code, message = codes.UNKNOWN_FIELD, f"is not a field of {around.name}"
                if hint is None and names:
                    hint = f"it has {', '.join(names)}"
                return (self.code or code).error(self.subject, path, message, hint=hint)
            case "missing":
                return (self.code or codes.MISSING_FIELD).error(self.subject, path, "is required")
            case "value_error" if place is not None and place.shape is Shape.DURATION:
                hint = 'write a number with its unit, such as "5s", "1h30m" or "8ms"'
                return (self.code or codes.BAD_DURATION).error(self.subject, path, f"{value} is not a duration", hint=hint)
            case "value_error" if place is not None and place.shape is Shape.MESSAGE:
                return (self.code or codes.ONE_OF).error(self.subject, path, str(detail["ctx"]["error"]))
            case "value_error" if place is not None and place.shape is Shape.TEXT:
                return (self.code or codes.BAD_VALUE).error(self.subject, path, f"{value} {detail['ctx']['error']}")
            case _:
                message, hint = _mismatch(detail, place, value)
                return (self.code or codes.BAD_VALUE).error(self.subject, path, message, hint=hint)


_WANTED: Final = {
    Shape.MESSAGE: "a mapping",
    Shape.LIST: "a list",
    Shape.MAP: "a mapping",
    Shape.TEXT: "text",
    Shape.INTEGER: "a whole number",
    Shape.NUMBER: "a number",
    Shape.FLAG: "true or false",
    Shape.BYTES: "base64 text",
}


def _mismatch(detail: ErrorDetails, place: Node | None, value: str) -> tuple[str, str | None]:
    """Return message and hint for a value that does not fit its place."""
    raw, limits = detail["input"], detail.get("ctx", {})
    if "ge" in limits:
        return f"{value} is too small", f"the least is {limits['ge']}"
    if "le" in limits:
        return f"{value} is too large", f"the most is {limits['le']}"
    if place is None:
        return f"{value} cannot be read: {detail['msg']}", None
    if place.shape is Shape.ENUM:
        choices = f"use one of {', '.join(place.values)}"
        return f"{value} is not one of its values", (did_you_mean(raw, place.values) if isinstance(raw, str) else None) or choices
    wanted = _WANTED.get(place.shape)
    if wanted is None:
        return f"{value} cannot be read: {detail['msg']}", None
    if place.shape is Shape.TEXT and isinstance(raw, bool | int | float):
        return f"{value} is not text", "put it in quotes"
    if place.shape is Shape.LIST and isinstance(raw, str):
        return f"{value} is not a list", f"write it as [{value}]"
    if raw is None and place.name == "StringMatch":
        return "null is no match", "write {} to ask that it is present"
    return f"{value} is not {wanted}", None


def _normalised(raw: object, node: Node) -> object:
    """Return a copy along the known shape in which null fields are left out and numbers in quotes are numbers, as protobuf JSON has it."""
    match raw, node.shape:
        case Mapping(), Shape.MESSAGE:
            fields = node.fields or {}
            return {
                key: _normalised(value, fields[key].node) if key in fields else value
                for key, value in raw.items()
                if value is not None or key not in fields
            }
        case Mapping(), Shape.MAP if node.item is not None:
            return {key: _normalised(value, node.item) for key, value in raw.items()}
        case ((list() | tuple()), Shape.LIST) if node.item is not None:
            return [_normalised(value, node.item) for value in raw]
        case str(), Shape.INTEGER if raw.isascii() and raw.removeprefix("-").isdigit() and len(raw) <= len(str(2**64)):
            return int(raw)
        case float(), Shape.INTEGER if raw.is_integer():
            return int(raw)
        case str(), Shape.NUMBER:
            try:
                return float(raw)
            except ValueError:
                return raw
        case _:
            return raw


def _place(detail: ErrorDetails) -> Loc:
    """Return what to leave out: the value itself, what lacks a required field, the entry of a bad key.

    A rule with a match that cannot be read is left out as a whole: without that condition it would take more than it was meant to.
    """
    loc = detail["loc"]
    if "match" in loc and detail["type"] != "extra_forbidden":
        return loc[: loc.index("match")]
    if detail["type"] == "missing" or (loc and loc[-1] == "[key]"):
        return loc[:-1]
    return loc


def _without(raw: object, node: Node, places: list[Loc]) -> object:
    """Return the normalised document without the values at the given places. The document is a private copy and is taken apart."""
    if not isinstance(raw, dict) or () in places:
        return {}
    for loc in places:
        _drop(raw, node, loc)
    return _swept(raw)


def _drop(raw: object, node: Node, loc: Loc) -> None:
    current: object = raw
    shape: Node | None = node
    for depth, step in enumerate(loc):
        is_last = depth == len(loc) - 1
        if isinstance(current, dict):
            key: object = step
            if step not in current and shape is not None and shape.fields is not None and str(step) in shape.fields:
                key = shape.fields[str(step)].attribute  # the document uses the protobuf name, pydantic reports the YAML name
            if key not in current:
                return
            if is_last:
                current[key] = _DROPPED
            current = current[key]
        elif isinstance(current, list) and isinstance(step, int) and step < len(current):
            if is_last:
                current[step] = _DROPPED
            current = current[step]
        else:
            return
        shape = None if shape is None else resolve(shape, (step,))


def _swept(raw: object) -> object:
    if isinstance(raw, dict):
        return {key: _swept(value) for key, value in raw.items() if value is not _DROPPED}
    if isinstance(raw, list):
        return [_swept(value) for value in raw if value is not _DROPPED]
    return raw
