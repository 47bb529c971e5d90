"""One file -> the objects it offers and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.documents import Document, parse


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a file holds now. All findings have file and line.

    ``accepted`` and ``rejected`` keep the order of the file, each key once. ``documents`` has the place of each object. ``broken`` says
    that part of the file could not be read, so that objects which seem to be gone may be in that part. ``unfinished`` is the last object
    of a text that does not end with a line break: it may go on.
    """

    name: str
    accepted: dict[ObjectKey, Upsert] = field(default_factory=dict)
    rejected: dict[ObjectKey, Rejected] = field(default_factory=dict)
    documents: dict[ObjectKey, Document] = field(default_factory=dict)
    findings: tuple[Diagnostic, ...] = ()
    broken: bool = False
    blank: bool = False
    unfinished: ObjectKey | None = None


def load(text: str | Diagnostic, name: str, default_namespace: str) -> Loaded:
    """Return what a file holds; ``text`` is a finding where it could not be read."""
    if isinstance(text, Diagnostic):
        return Loaded(name, findings=(text,), broken=True)
    loaded = Loaded(name, blank=not text.strip())
    findings: list[Diagnostic] = []
    broken = False
    last: ObjectKey | None = None
    for document in parse(text, name):
        last = None
        if document.raw is None:
            findings += document.findings
            broken = True
            continue
        decoded = decode(document.raw, default_namespace=default_namespace)
        located = tuple(document.locate(finding) for finding in decoded.diagnostics)
        if isinstance(decoded, Skipped):
            findings += located
            continue
        key = decoded.key
        if not key.kind or not key.name:  # too broken to say which object it is
            findings += located
            broken = True
        elif key in loaded.documents:
            findings.append(defined_twice(document, key, loaded.documents[key]))
        else:
            loaded.documents[key] = document
            last = key
            match decoded:
                case Upsert():
                    loaded.accepted[key] = Upsert(decoded.object, located)
                case Rejected():
                    loaded.rejected[key] = Rejected(key, located)
    complete = text.endswith(("\n", "}"))
    unfinished = None if complete else last
    return Loaded(name, loaded.accepted, loaded.rejected, loaded.documents, tuple(findings), broken, loaded.blank, unfinished)


def defined_twice(document: Document, key: ObjectKey, first: Document) -> Diagnostic:
    """Report an object that stands somewhere else already."""
    message = f"is defined twice; the one at {first.source}:{first.line} is used"
    return codes.DEFINED_TWICE.warning(key, "", message, hint="remove one of the two, or rename it").at(document.source, document.line)


def emptied(name: str, kept: Iterable[ObjectKey]) -> Diagnostic:
    """Report a file that held objects and is empty now."""
    shown = ", ".join(str(key) for key in sorted(kept))
    message = f"is empty now; what it held stays in service: {shown}"
    return codes.EMPTIED.warning(codes.file_key(name), "", message, hint="delete the file to remove its objects").at(name, 1)
