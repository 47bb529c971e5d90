"""Text of a file -> its documents: split, parsed, lists unfolded, each with the line where it starts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from meshctl_operator.base.codes import Code
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.sources import codes
from meshctl_operator.sources.positions import line_of_path
from meshctl_operator.sources.yaml_reader import MAX_DEPTH, Flaw, Value, read

_SEPARATOR: Final = re.compile(r"---(?:\s|$)")
_SHOWN: Final = 60  # characters of a value in a message


@dataclass(frozen=True, slots=True)
class Document:
    """One object as it stands in a file, or the place where there should be one.

    ``index`` counts the documents of the file from 0; the items of a List share that of the List. ``line`` is the 1-based line where
    the content starts. ``raw`` is None when the document is unusable; ``findings`` then say why.
    """

    source: str
    index: int
    line: int
    raw: Mapping[str, object] | None
    findings: tuple[Diagnostic, ...] = ()
    text: str = ""
    offset: int = 0
    prefix: str = ""

    def line_of(self, path: str) -> int:
        """Return the 1-based line of ``spec.http[1].route[0].weight``, or of the nearest parent that is there."""
        if not path and not self.prefix:
            return self.line
        found = line_of_path(self.text, ".".join(part for part in (self.prefix, path) if part))
        return self.line if found is None else self.offset + found + 1

    def locate(self, finding: Diagnostic) -> Diagnostic:
        """Return the finding with the file and line where its path stands."""
        return finding if finding.source is not None else finding.at(self.source, self.line_of(finding.path))


def parse(text: str, source: str) -> tuple[Document, ...]:
    """Return the documents of a text in order; a broken one is among them with its findings, and costs none of the others.

    Args:
        text: YAML with any number of documents, or JSON.
        source: how the file is called in findings.
    """
    if text.lstrip()[:1] in {"{", "["}:
        documents = _parse_json(text, source)
        if documents is not None:
            return documents
    found: list[Document] = []
    index = 0
    for offset, chunk in _split(text):
        index = _parse_chunk(chunk, source, offset, index, found)
    return tuple(found)


def _split(text: str) -> list[tuple[int, str]]:
    """Return (line offset, text) of each document. A line that starts with three dashes separates, wherever it stands in YAML."""
    if "---" not in text:
        return [(0, text)]
    lines = text.splitlines(keepends=True)
    starts = [0]
    open_ = False  # whether a document has begun: comments before the first separator are none
    for number, line in enumerate(lines):
        if _SEPARATOR.match(line):
            start = number
            while start > starts[-1] and lines[start - 1].startswith("%"):  # directives belong to the document that follows
                start -= 1
            if open_:
                starts.append(start)
            open_ = True
        elif _has_content(line) and not line.startswith("%"):
            open_ = True
    return [(start, "".join(lines[start:end])) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _has_content(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _parse_chunk(text: str, source: str, offset: int, index: int, found: list[Document]) -> int:
    """Add the documents of a part of a file, mostly one, to those found; return the index of the next."""
    try:
        for value, line in read(text):
            if value is not None:
                found += _unfold(value, Document(source, index, offset + line + 1, None, (), text, offset))
            index += 1
    except Flaw as flaw:
        found.append(_broken(source, index, offset, text, flaw))
        index += 1
    return index


def _broken(source: str, index: int, offset: int, text: str, flaw: Flaw) -> Document:
    """Return the place of a document that cannot be parsed."""
    first = next((number for number, line in enumerate(text.splitlines()) if _has_content(line) and not _SEPARATOR.match(line)), 0)
    finding = flaw.code.error(codes.file_key(source), "", flaw.message, hint=flaw.hint).at(source, offset + flaw.line + 1)
    return Document(source, index, offset + first + 1, None, (finding,), text, offset)


def _unfold(value: Value, document: Document) -> Iterator[Document]:
    """Yield the document, or each item of a List."""
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else f"the single value {_shown(value)}"
        yield _unusable(document, codes.NOT_AN_OBJECT, f"is {kind}; an object with apiVersion, kind and metadata was expected")
        return
    items = value.get("items")
    if not (str(value.get("kind", "")).endswith("List") and (isinstance(items, list) or items is None)):
        yield replace(document, raw=value)
        return
    for number, item in enumerate(items or []):
        prefix = f"items[{number}]"
        line = document.offset + (line_of_path(document.text, prefix) or 0) + 1
        place = replace(document, line=line, prefix=prefix)
        if isinstance(item, dict):
            yield replace(place, raw=item)
        else:
            yield _unusable(
                place, codes.NOT_AN_OBJECT, f"{prefix} is {_shown(item)}; an object with apiVersion, kind and metadata was expected"
            )


def _shown(value: Value) -> str:
    """Return a value as it may stand in the file, cut short where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]} ..."


def _unusable(document: Document, code: Code, message: str) -> Document:
    finding = code.error(codes.file_key(document.source), "", message).at(document.source, document.line)
    return replace(document, findings=(finding,))


class _DuplicateNameError(ValueError):
    """A JSON object has one name twice."""


def _pairs(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateNameError(next(name for name in names if names.count(name) > 1))
    return found


def _constant(name: str) -> object:
    raise ValueError(name)


def _parse_json(text: str, source: str) -> tuple[Document, ...] | None:
    """Return the documents of a JSON text, or None when it is not JSON (it may be YAML in flow style)."""
    place = Document(source, 0, text[: len(text) - len(text.lstrip())].count("\n") + 1, None, (), text, 0)
    try:
        value: Value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant)
    except _DuplicateNameError as error:
        return (_unusable(place, codes.DUPLICATE_KEY, f'field "{error}" is given twice'),)
    except RecursionError:
        return (_unusable(place, codes.YAML_LIMIT, f"nests deeper than {MAX_DEPTH} levels"),)
    except ValueError:
        return None
    return tuple(_unfold(value, place))
