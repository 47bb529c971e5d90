"""Diagnostic codes: each has one page that says cause, example and fix; ``meshctl docs CODE`` prints it.

A package that reports findings keeps its codes in a module ``codes`` of its own. Ranges: MC10xx structure, MC11xx Gateway, MC12xx
VirtualService, MC13xx DestinationRule, MC14xx ServiceEntry, MC15xx WorkloadEntry and WorkloadGroup, MC16xx Sidecar, MC17xx Kubernetes
kinds and MeshConfig, MC19xx not supported or not enforced; MC20xx references between objects, MC21xx gateways, MC22xx routes, MC23xx
services, endpoints and policies; MC30xx what a proxy said; MC40xx files and sources; MC41xx the
local mesh; MC42xx what ``translate`` assumes; MC43xx pods that get a sidecar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey

_CATALOGUE: Final[dict[str, Code]] = {}


@dataclass(frozen=True, slots=True)
class Code:
    """A kind of finding, with the page that explains it. ``istio_code`` is Istio's name for the same finding, if it has one."""

    code: str
    title: str
    cause: str
    example: str
    fix: str
    istio_code: str | None = None

    def error(self, subject: ObjectKey, path: str, message: str, *, hint: str | None = None) -> Diagnostic:
        """Report a finding that drops what it is about."""
        return self._report(Severity.ERROR, subject, path, message, hint)

    def warning(self, subject: ObjectKey, path: str, message: str, *, hint: str | None = None) -> Diagnostic:
        """Report a finding that keeps what it is about."""
        return self._report(Severity.WARNING, subject, path, message, hint)

    def info(self, subject: ObjectKey, path: str, message: str, *, hint: str | None = None) -> Diagnostic:
        """Report something worth knowing."""
        return self._report(Severity.INFO, subject, path, message, hint)

    def _report(self, severity: Severity, subject: ObjectKey, path: str, message: str, hint: str | None) -> Diagnostic:
        return Diagnostic(self.code, severity, subject, path, message, hint, self.istio_code)


def define(code: str, title: str, *, cause: str, example: str, fix: str, istio_code: str | None = None) -> Code:
    """Add a code to the catalogue and return it. Raises ValueError when the code is taken."""
    if code in _CATALOGUE:
        msg = f"diagnostic code {code} is defined twice"
        raise ValueError(msg)
    page = _CATALOGUE[code] = Code(code, title, cause, example, fix, istio_code)
    return page


def catalogue() -> dict[str, Code]:
    """Return every code whose module was imported, in the order of the codes."""
    return dict(sorted(_CATALOGUE.items()))
