"""Raw documents of config objects for tests, and what decoding says about them.

Every document that is judged here is a sample for our CRDs as well: what is accepted must fit its schema.
"""

from __future__ import annotations

from typing import Any

import yaml

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from tests.support.structural_schema import refusals


def document(
    kind: str, spec: object, *, name: str = "sample", namespace: str = "shop", api_version: str = "networking.istio.io/v1"
) -> dict[str, Any]:
    """Return a document as YAML would give it; ``spec`` may be YAML text."""
    body = yaml.safe_load(spec) if isinstance(spec, str) else spec
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": body}


def spec_of(kind: str, spec: object, *, validate: bool = True) -> Any:
    """Return the decoded spec; fails when the document is not accepted."""
    raw = document(kind, spec)
    decoded = decode(raw, validate=validate)
    assert isinstance(decoded, Upsert), decoded
    if validate:
        _fits_its_schema(raw)
    return decoded.object.spec


def findings_of(kind: str, spec: object) -> tuple[Diagnostic, ...]:
    """Return all that decoding says about the document."""
    raw = document(kind, spec)
    decoded = decode(raw)
    assert isinstance(decoded, Upsert | Rejected)
    if isinstance(decoded, Upsert):
        _fits_its_schema(raw)
    return decoded.diagnostics


def _fits_its_schema(raw: dict[str, Any]) -> None:
    if KINDS[Kind(raw["kind"])].is_routing:
        assert refusals(raw) == []


def errors_of(kind: str, spec: object) -> list[tuple[str, str]]:
    """Return (code, path) of each error, sorted."""
    return sorted((d.code, d.path) for d in findings_of(kind, spec) if d.severity is Severity.ERROR)


def warnings_of(kind: str, spec: object) -> list[tuple[str, str]]:
    """Return (code, path) of each warning, sorted."""
    return sorted((d.code, d.path) for d in findings_of(kind, spec) if d.severity is Severity.WARNING)
