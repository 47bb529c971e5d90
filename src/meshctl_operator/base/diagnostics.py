"""Findings about user input. A finding is a value that travels beside the result, never an exception."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from meshctl_operator.base.objects import ObjectKey

T_co = TypeVar("T_co", covariant=True)


class Severity(StrEnum):
    """How bad a finding is: an error drops what it is about, a warning keeps it, an info explains."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: which object, where in it, what is wrong and the way out.

    ``code`` is a key of the catalogue (``base.codes``), ``path`` is in the notation ``spec.http[1].route[0].weight`` (empty for the
    whole object). ``source`` and ``line`` (1-based) are filled in by the source that knows the file.
    """

    code: str
    severity: Severity
    subject: ObjectKey
    path: str
    message: str
    hint: str | None = None
    istio_code: str | None = None
    source: str | None = None
    line: int | None = None

    def to_json(self) -> dict[str, object]:
        """Return the public JSON form of a diagnostic, the same everywhere (CLI, events, status)."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "object": {"kind": str(self.subject.kind), "namespace": self.subject.namespace, "name": self.subject.name},
            "path": self.path,
            "source": self.source,
            "line": self.line,
            "message": self.message,
            "hint": self.hint,
            "istio_code": self.istio_code,
        }

    def at(self, source: str | None, line: int | None) -> Diagnostic:
        """Return the same finding with the file and 1-based line where its path stands."""
        return replace(self, source=source, line=line)

    def __str__(self) -> str:
        """Return one line for people: place, severity, code, object, path, message and hint."""
        place = f"{self.source}:{self.line}: " if self.source and self.line else f"{self.source}: " if self.source else ""
        name = f"{self.subject.namespace}/{self.subject.name}" if self.subject.namespace else self.subject.name
        where = "" if name == self.source else f"{self.subject.kind} {name}: ".lstrip()  # a file is named by the place already
        path = f"{self.path} " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.severity.value} [{self.code}] {where}{path}{self.message}{hint}"


@dataclass(frozen=True, slots=True)
class Compiled(Generic[T_co]):
    """A result that is valid as far as it goes, with the findings about what had to be left out."""

    value: T_co
    diagnostics: tuple[Diagnostic, ...] = field(default=())


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether any finding is an error."""
    return any(d.severity is Severity.ERROR for d in diagnostics)


def sorted_unique(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return the findings once each, by object, path, code and message: several proxies meet the same finding."""
    unique: Mapping[Diagnostic, None] = dict.fromkeys(diagnostics)
    return tuple(sorted(unique, key=lambda d: (d.subject, d.path, d.code, d.message)))
