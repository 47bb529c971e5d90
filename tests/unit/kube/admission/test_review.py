"""Admission requests, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from meshctl_operator.apis.changes import Delete, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.admission.facts import Consequences, NoFacts
from meshctl_operator.kube.admission.review import MOST_WARNINGS, WebhookError, admission_review, answer
from meshctl_operator.status.findings import line
from tests.support.documents import document

VALID = document("VirtualService", "{hosts: [a.com], http: [{route: [{destination: {host: a}}]}]}", name="cart")
BROKEN = document("VirtualService", "{hosts: [a.com], http: [{route: [{destination: {host: a}, weight: -1}], retires: {}}]}", name="cart")
KEY = ObjectKey("VirtualService", "shop", "cart")
OTHER = ObjectKey("VirtualService", "shop", "other")


def request(operation: str = "CREATE", obj: object = None, old: object = None, **more: object) -> dict[str, object]:
    """Return a request as API servers send it."""
    return {"uid": "u-1", "operation": operation, "namespace": "shop", "name": "cart", "object": obj, "oldObject": old, **more}


def warning(subject: ObjectKey = KEY, message: str = "is odd") -> Diagnostic:
    """Return a finding between objects."""
    return Diagnostic("MC2201", Severity.WARNING, subject, "spec.hosts[0]", message, "put it right")


class Facts:
    """Facts that say what they were told to, and remember what they were asked."""

    def __init__(self, *own: Diagnostic, others: tuple[Diagnostic, ...] = ()) -> None:
        self.answer = Consequences(own, others)
        self.asked: list[Upsert | Delete] = []
        self.expected: list[Upsert | Delete] = []

    def consequences(self, change: Upsert | Delete) -> Consequences:
        """Return what was given."""
        self.asked.append(change)
        return self.answer

    def expect(self, change: Upsert | Delete) -> None:
        """Remember it."""
        self.expected.append(change)


class BrokenFacts:
    """Facts with a bug."""

    def consequences(self, change: Upsert | Delete) -> Consequences:
        """Fail."""
        raise KeyError(change.key)

    def expect(self, change: Upsert | Delete) -> None:
        """Fail as well."""
        raise KeyError(change.key)


def test_a_valid_object() -> None:
    """An object with nothing wrong is allowed without a word."""
    assert admission_review(request(obj=VALID), NoFacts()) == {"uid": "u-1", "allowed": True}


def test_a_broken_object() -> None:
    """An object that validate rejects is refused with all of its reasons, each with path and way out, as text and as causes."""
    response: Any = admission_review(request("UPDATE", BROKEN, VALID), NoFacts())
    decoded = decode(BROKEN)
    errors = [line(finding) for finding in decoded.diagnostics if finding.severity is Severity.ERROR]
    assert not response["allowed"]
    assert len(errors) == 2
    assert response["status"]["message"] == "; ".join(errors)
    assert "spec.http[0].retires" in response["status"]["message"]
    assert 'did you mean "retries"?' in response["status"]["message"]
    assert (response["status"]["code"], response["status"]["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in response["status"]["details"]["causes"]] == ["spec.http[0].retires", "spec.http[0].route[0].weight"]


def test_warnings_of_validate() -> None:
    """What validate warns of is a warning here, in the same words."""
    raw = document("VirtualService", "{hosts: [a.com], http: [{route: [{destination: {host: a}}], mirrorPercent: 5}]}", name="cart")
    response: Any = admission_review(request(obj=raw), NoFacts())
    assert response["allowed"]
    assert response["warnings"] == [line(finding) for finding in decode(raw).diagnostics]
    assert response["warnings"]


def test_findings_between_objects_never_refuse() -> None:
    """What is wrong between objects is told, even if it leaves out a part; other objects are named, explanations left out."""
    error = Diagnostic("MC2215", Severity.ERROR, KEY, "spec.hosts[0]", "cannot be served")
    info = Diagnostic("MC2204", Severity.INFO, KEY, "", "is good to know")
    response = admission_review(request(obj=VALID), Facts(warning(), error, info, others=(warning(OTHER),)))
    assert response == {
        "uid": "u-1",
        "allowed": True,
        "warnings": [
            "spec.hosts[0] is odd (put it right) [MC2201]",
            "spec.hosts[0] cannot be served [MC2215]",
            "VirtualService shop/other: spec.hosts[0] is odd (put it right) [MC2201]",
        ],
    }


def test_objects_of_others_are_allowed() -> None:
    """What another control plane reads is for that one to judge."""

    def ours(metadata: Mapping[str, object]) -> bool:
        return metadata.get("labels") is None

    foreign = {**BROKEN, "metadata": {**BROKEN["metadata"], "labels": {"istio.io/rev": "other"}}}
    assert not admission_review(request(obj=BROKEN), Facts(warning()), ours)["allowed"]
    assert admission_review(request(obj=foreign), Facts(warning()), ours) == {"uid": "u-1", "allowed": True}
    assert not admission_review(request(obj={**BROKEN, "metadata": 1}), Facts(), lambda _: False)["allowed"]


def test_what_is_admitted_is_expected() -> None:
    """Not so what is refused, or only tried."""
    facts = Facts()
    admission_review(request(obj=VALID, dryRun=True), facts)
    admission_review(request(obj=BROKEN), facts)
    assert facts.expected == []
    admission_review(request(obj=VALID), facts)
    admission_review(request("DELETE", None, VALID), facts)
    assert facts.expected == facts.asked[-2:]


def test_deletions() -> None:
    """A deletion is always allowed; who still refers to the object is told."""
    facts = Facts(warning(), others=(warning(OTHER),))
    for old in (VALID, BROKEN):
        response: Any = admission_review(request("DELETE", None, old), facts)
        assert response["allowed"]
        assert response["warnings"] == ["VirtualService shop/other: spec.hosts[0] is odd (put it right) [MC2201]"]
    assert facts.asked == [Delete(KEY), Delete(KEY)]
    assert admission_review(request("DELETE"), facts) == {"uid": "u-1", "allowed": True}
    assert admission_review(request("DELETE", None, {"kind": "Foreign"}), facts) == {"uid": "u-1", "allowed": True}


def test_what_is_not_judged() -> None:
    """Status writes, other operations, foreign kinds and objects on their way out are let through."""
    going = {**BROKEN, "metadata": {**BROKEN["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    foreign = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}}
    for each in (
        request("UPDATE", BROKEN, VALID, subResource="status"),
        request("CONNECT"),
        request("UPDATE", going, BROKEN),
        request(obj=foreign),
    ):
        assert admission_review(each, NoFacts()) == {"uid": "u-1", "allowed": True}


def test_a_kind_that_is_not_supported() -> None:
    """An object that nobody will ever act on is refused, like everywhere."""
    raw = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": "x"}}
    response: Any = admission_review(request(obj=raw), NoFacts())
    assert not response["allowed"]
    assert "EnvoyFilter" in response["status"]["message"]


def test_the_namespace_of_the_request_counts() -> None:
    """An object that does not name its namespace is in that of the request."""
    raw = {**VALID, "metadata": {"name": "cart"}}
    facts = Facts()
    admission_review(request(obj=raw), facts)
    assert [change.key for change in facts.asked] == [KEY]


def test_a_new_object_is_the_youngest() -> None:
    """Where age decides, an object that is being made loses against those that exist."""
    facts = Facts()
    admission_review(request(obj=VALID), facts)
    stored = {**VALID, "metadata": {**VALID["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}}
    admission_review(request("UPDATE", stored, stored), facts)
    created = [change.object.meta.creation_timestamp for change in facts.asked if isinstance(change, Upsert)]
    assert [time.year for time in created if time is not None] == [9999, 2026]


def test_many_warnings() -> None:
    """API servers cut warnings off, so the last one says how many there are besides."""
    many = tuple(warning(message=f"is odd {number}") for number in range(MOST_WARNINGS + 5))
    response: Any = admission_review(request(obj=VALID), Facts(*many))
    assert len(response["warnings"]) == MOST_WARNINGS + 1
    assert response["warnings"][-1].startswith("and 5 more")


def test_a_bug_of_ours_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """If facts fail, the object is judged by itself, and the log says so."""
    assert admission_review(request(obj=VALID), BrokenFacts())["allowed"]
    assert admission_review(request("DELETE", None, VALID), BrokenFacts())["allowed"]
    assert not admission_review(request(obj=BROKEN), BrokenFacts())["allowed"]
    assert "admission facts failed" in caplog.text


def test_envelope() -> None:
    """The answer has the version and the uid of the question."""
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request(obj=VALID)}
    assert answer(review, NoFacts()) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": True},
    }


@pytest.mark.parametrize(
    "review",
    [
        None,
        [],
        {},
        {"apiVersion": "admission.k8s.io/v1beta1", "request": {"uid": "u"}},
        {"apiVersion": "admission.k8s.io/v1", "request": None},
        {"apiVersion": "admission.k8s.io/v1", "request": {}},
        {"apiVersion": "admission.k8s.io/v1", "request": {"uid": "u", "operation": "CREATE", "object": None}},
    ],
    ids=["null", "list", "empty", "old version", "no request", "no uid", "no object"],
)
def test_what_is_no_review(review: object) -> None:
    """Anything else is an error of the caller."""
    with pytest.raises(WebhookError):
        answer(review, NoFacts())
