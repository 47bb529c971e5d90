"""One admission request, judged: the same verdict and the same words as ``meshctl validate``, and warnings about other objects.

Requests and answers are those of ``admission.k8s.io/v1``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from meshctl_operator.apis.changes import Delete, Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.kinds import NETWORKING_GROUP
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.admission.facts import Consequences, RegistryFacts
from meshctl_operator.status.findings import line

API_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"

MOST_WARNINGS: Final = 12  # API servers pass on about 4,000 characters of warnings
_UNPROCESSABLE: Final = 422
_NOT_BORN: Final = datetime(9999, 1, 1, tzinfo=UTC)  # an object that is being made is the youngest of all

Ours = Callable[[Mapping[str, object]], bool]
"""Tells by its metadata whether an object is for this control plane."""

log = logging.getLogger("meshctl.kube.admission")


def everything(_: Mapping[str, object]) -> bool:
    """Tell that every object is ours."""
    return True


class WebhookError(MeshctlError):
    """A request is no admission review; it is answered 400."""


def answer(review: object, facts: RegistryFacts, ours: Ours = everything) -> dict[str, object]:
    """Return the answer to an ``AdmissionReview``. Objects that are not ours are allowed. Raises WebhookError for anything else."""
    request = review.get("request") if isinstance(review, Mapping) else None
    if not isinstance(review, Mapping) or review.get("apiVersion") != API_VERSION or not isinstance(request, Mapping):
        raise WebhookError("the body is no AdmissionReview with a request", hint=f"admissionReviewVersions must name {API_VERSION[-2:]}")
    return {"apiVersion": API_VERSION, "kind": _KIND, "response": admission_review(request, facts, ours)}


def admission_review(request: Mapping[str, object], facts: RegistryFacts, ours: Ours = everything) -> dict[str, object]:
    """Return the ``response`` to a ``request``. Raises WebhookError if the request has no object to judge."""
    uid = request.get("uid")
    if not isinstance(uid, str) or not uid:
        raise WebhookError("the request has no uid")
    if request.get("subResource"):
        return _response(uid)  # status is not what users mean
    operation = request.get("operation")
    match operation:
        case "CREATE" | "UPDATE":
            return _judged(uid, request, facts, ours)
        case "DELETE":
            return _deleted(uid, request, facts)
        case _:
            return _response(uid)


def _judged(uid: str, request: Mapping[str, object], facts: RegistryFacts, ours: Ours) -> dict[str, object]:
    raw = _document(request, "object")
    metadata = raw.get("metadata")
    if isinstance(metadata, Mapping) and not ours(metadata):
        return _response(uid)  # who reads it may take what we do not
    decoded = decode(raw, default_namespace=_namespace(request))
    match decoded:
        case Skipped():
            return _response(uid, _told(decoded.diagnostics, decoded.key))
        case Rejected():
            if _is_going(raw):
                return _response(uid)  # who holds back a finalizer keeps an object for ever
            errors = [finding for finding in decoded.diagnostics if finding.severity is Severity.ERROR]
            return _response(uid, _told(_warnings(decoded.diagnostics), decoded.key), _refusal(decoded.key, errors))
        case Upsert():
            change = decoded
            if decoded.object.meta.creation_timestamp is None:
                meta = decoded.object.meta.model_copy(update={"creation_timestamp": _NOT_BORN})
                change = Upsert(decoded.object.model_copy(update={"meta": meta}), decoded.diagnostics)
            found = _consequences(facts, change, request)
            shown = (*_warnings(decoded.diagnostics), *_between(found))
            return _response(uid, _told(shown, decoded.key))


def _deleted(uid: str, request: Mapping[str, object], facts: RegistryFacts) -> dict[str, object]:
    """Return the answer for a deletion, which is always allowed; who still refers to the object is told."""
    raw = request.get("oldObject")
    if not isinstance(raw, Mapping):
        return _response(uid)  # API servers before 1.15, and deletions of collections
    decoded = decode(raw, default_namespace=_namespace(request), validate=False)
    if not isinstance(decoded, Upsert):
        return _response(uid)
    return _response(uid, _told(_consequences(facts, Delete(decoded.key), request).others, decoded.key))


def _consequences(facts: RegistryFacts, change: Upsert | Delete, request: Mapping[str, object]) -> Consequences:
    """Return what would be found; nothing if that fails, since such findings only warn. Unless it is a trial, the change is to be expected."""
    try:
        found = facts.consequences(change)
        if not request.get("dryRun"):
            facts.expect(change)
    except Exception:
        log.exception("admission facts failed", extra={"object": str(change.key)})
        return Consequences()
    return found


def _between(found: Consequences) -> tuple[Diagnostic, ...]:
    """Return findings between objects, all of which are warnings here."""
    return (*(finding for finding in found.own if finding.severity is not Severity.INFO), *found.others)


def _warnings(findings: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(finding for finding in findings if finding.severity is Severity.WARNING)


def _told(findings: Iterable[Diagnostic], key: ObjectKey) -> list[str]:
    """Return findings as warnings; those about other objects name them."""
    lines = list(dict.fromkeys(_line(finding, key) for finding in findings))
    more = len(lines) - MOST_WARNINGS
    return lines if more <= 0 else [*lines[:MOST_WARNINGS], f"and {more} more; meshctl validate lists those about the object itself"]


def _line(finding: Diagnostic, key: ObjectKey) -> str:
    other = finding.subject
    return line(finding) if other == key else f"{other.kind} {other.namespace}/{other.name}: {line(finding)}"


def _response(uid: str, warnings: Iterable[str] = (), refusal: Mapping[str, object] | None = None) -> dict[str, object]:
    response: dict[str, object] = {"uid": uid, "allowed": refusal is None}
    told = list(warnings)
    if told:
        response["warnings"] = told
    if refusal is not None:
        response["status"] = refusal
    return response


def _refusal(key: ObjectKey, errors: Sequence[Diagnostic]) -> dict[str, object]:
    """Return the status of a refusal. kubectl shows the causes, each after its path; other clients show the message."""
    causes = [
        {"reason": "FieldValueInvalid", "field": finding.path, "message": line(finding).removeprefix(f"{finding.path} ")}
        for finding in errors
    ]
    return {
        "code": _UNPROCESSABLE,
        "reason": "Invalid",
        "message": "; ".join(line(finding) for finding in errors),
        "details": {"group": NETWORKING_GROUP, "kind": key.kind, "name": key.name, "causes": causes},
    }


def _document(request: Mapping[str, object], name: str) -> Mapping[str, object]:
    raw = request.get(name)
    if not isinstance(raw, Mapping):
        raise WebhookError(f"the request has no {name}")
    return raw


def _namespace(request: Mapping[str, object]) -> str:
    namespace = request.get("namespace")
    return namespace if isinstance(namespace, str) and namespace else "default"


def _is_going(raw: Mapping[str, object]) -> bool:
    metadata = raw.get("metadata")
    return isinstance(metadata, Mapping) and bool(metadata.get("deletionTimestamp"))
