"""Findings about the structure of documents, and what is saved of broken ones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from meshctl_operator.apis.networking.virtual_service import VirtualServiceSpec
from meshctl_operator.apis.structure import StructureReport, did_you_mean, read, seen
from meshctl_operator.base.objects import ObjectKey
from tests.support.documents import findings_of, spec_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", '"a"'),
        (1, "1"),
        (True, "true"),
        (None, "null"),
        ({}, "a mapping"),
        ([], "a list"),
        ("x" * 100, '"' + "x" * 80 + '..."'),
        (datetime(2024, 1, 1, tzinfo=UTC), "a value of type datetime"),
    ],
)
def test_how_values_are_shown(value: object, text: str) -> None:
    """Scalars are shown as in JSON and cut when long; anything else by its type."""
    assert seen(value) == text


@pytest.mark.parametrize(("word", "hint"), [("timeuot", 'did you mean "timeout"?'), ("TIMEOUT", 'did you mean "timeout"?'), ("zzz", None)])
def test_did_you_mean(word: str, hint: str | None) -> None:
    """A close word is offered, whatever its case; a far one is not."""
    assert did_you_mean(word, ("timeout", "retries")) == hint


@pytest.mark.parametrize(
    ("spec", "code", "path", "message", "hint"),
    [
        ("{hostz: [a]}", "MC1004", "spec.hostz", "is not a field of VirtualService", 'did you mean "hosts"?'),
        ("{http: [{timeuot: 1s}]}", "MC1004", "spec.http[0].timeuot", "is not a field of HttpRoute", 'did you mean "timeout"?'),
        ("{hosts: a}", "MC1005", "spec.hosts", '"a" is not a list', 'write it as ["a"]'),
        ("{hosts: [1]}", "MC1005", "spec.hosts[0]", "1 is not text", "put it in quotes"),
        ("{hosts: [true]}", "MC1005", "spec.hosts[0]", "true is not text", "put it in quotes"),
        ("{http: {}}", "MC1005", "spec.http", "a mapping is not a list", None),
        ("{http: [null]}", "MC1005", "spec.http[0]", "null is not a mapping", None),
        (
            "{http: [{timeout: 5}]}",
            "MC1006",
            "spec.http[0].timeout",
            "5 is not a duration",
            'write a number with its unit, such as "5s", "1h30m" or "8ms"',
        ),
        ("{http: [{route: [{}]}]}", "MC1007", "spec.http[0].route[0].destination", "is required", None),
        (
            "{http: [{route: [{destination: {}, weight: true}]}]}",
            "MC1005",
            "spec.http[0].route[0].weight",
            "true is not a whole number",
            None,
        ),
        (
            "{http: [{route: [{destination: {}, weight: 1.5}]}]}",
            "MC1005",
            "spec.http[0].route[0].weight",
            "1.5 is not a whole number",
            None,
        ),
        (
            "{http: [{route: [{destination: {}, weight: 2147483648}]}]}",
            "MC1005",
            "spec.http[0].route[0].weight",
            "2147483648 is too large",
            "the most is 2147483647",
        ),
        ("{http: [{match: [{port: -1}]}]}", "MC1005", "spec.http[0].match[0].port", "-1 is too small", "the least is 0"),
        (
            "{http: [{match: [{headers: {x: null}}]}]}",
            "MC1005",
            "spec.http[0].match[0].headers.x",
            "null is no match",
            "write {} to ask that it is present",
        ),
        ("{http: [{match: [{headers: {x: y}}]}]}", "MC1005", "spec.http[0].match[0].headers.x", '"y" is not a mapping', None),
        (
            "{http: [{match: [{ignoreUriCase: 'yes'}]}]}",
            "MC1005",
            "spec.http[0].match[0].ignoreUriCase",
            '"yes" is not true or false',
            None,
        ),
        (
            "{http: [{redirect: {derivePort: from_request_port}}]}",
            "MC1005",
            "spec.http[0].redirect.derivePort",
            '"from_request_port" is not one of its values',
            'did you mean "FROM_REQUEST_PORT"?',
        ),
        ("[]", "MC1005", "spec", "a list is not a mapping", None),
        ("text", "MC1005", "spec", '"text" is not a mapping', None),
    ],
)
def test_messages(spec: str, code: str, path: str, message: str, hint: str | None) -> None:
    """A finding names the path, the value seen and the way out."""
    found = [d for d in findings_of("VirtualService", spec) if d.code == code]
    assert [(d.path, d.message, d.hint) for d in found] == [(path, message, hint)]


def test_all_mistakes_at_once() -> None:
    """Every mistake of a document is found in one pass, and no mere consequence of one."""
    found = findings_of(
        "VirtualService",
        "{hostz: [a], http: [{match: [{port: 1}], timeuot: 1s, route: [{weight: x}]}, {match: [{port: 2}], route: [{destination: {host: '*'}}]}]}",
    )
    assert [(d.code, d.path) for d in found] == [
        ("MC1007", "spec.http[0].route[0].destination"),
        ("MC1005", "spec.http[0].route[0].weight"),
        ("MC1004", "spec.http[0].timeuot"),
        ("MC1004", "spec.hostz"),
        ("MC1206", "spec.http[1].route[0].destination.host"),
    ]


@pytest.mark.parametrize(("given", "weight"), [("'5'", 5), ("5.0", 5)])
def test_numbers_as_protobuf_json_writes_them(given: str, weight: int) -> None:
    """Numbers in quotes and whole numbers with a fraction of zero are read as numbers."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService", f"{{hosts: [a], http: [{{route: [{{destination: {{host: a}}, weight: {given}}}]}}]}}"
    )
    assert spec.http[0].route[0].weight == weight


def test_what_is_saved_of_a_broken_document() -> None:
    """Only what cannot be read is left out."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService",
        "{hosts: [a, 1], nope: 1, http: [{timeout: soon, route: [{destination: {host: a}}, {weight: 1}], retries: {retry_on: 5}}]}",
        validate=False,
    )
    assert spec.hosts == ("a",)
    (rule,) = spec.http
    assert rule.timeout is None
    assert [entry.destination.host for entry in rule.route] == ["a"]
    assert rule.retries is not None
    assert rule.retries.retry_on == ""


def test_a_rule_with_an_unreadable_match_is_left_out() -> None:
    """Without the condition that cannot be read, the rule would take more than it was meant to."""
    spec: VirtualServiceSpec = spec_of(
        "VirtualService",
        "{hosts: [a], http: [{match: [{port: x}], route: [{destination: {host: a}}]}, {name: kept, route: [{destination: {host: a}}]}]}",
        validate=False,
    )
    assert [rule.name for rule in spec.http] == ["kept"]


def test_the_document_is_not_touched() -> None:
    """Reading a broken document leaves the document of the caller as it was."""
    raw = {"hosts": [1, "a"], "http": [{"timeout": None, "route": [{"weight": "x"}]}]}
    read(VirtualServiceSpec, raw, StructureReport(ObjectKey("VirtualService", "shop", "a"), "spec"))
    assert raw == {"hosts": [1, "a"], "http": [{"timeout": None, "route": [{"weight": "x"}]}]}


@pytest.mark.parametrize(
    ("spec", "paths"),
    [
        ("{nope: 1, exportTo: ['*', a]}", ["spec.nope", "spec.exportTo"]),
        ("{htp: [], exportTo: ['*', a]}", ["spec.htp", "spec.exportTo"]),
        ("{http: [{rout: []}]}", ["spec.http[0].rout"]),
        ("{http: [{route: [{destination: {host: a}}], retries: {attempts: x, retryOn: 5xx}}]}", ["spec.http[0].retries.attempts"]),
        ("{http: [{route: [{destination: {host: a}, weight: x}, {destination: {host: b}}]}]}", ["spec.http[0].route[0].weight"]),
        ("{hosts: [1, '*'], http: [{route: [{destination: {host: '*'}}]}]}", ["spec.hosts[0]", "spec.http[0].route[0].destination.host"]),
    ],
)
def test_consequences_are_not_reported(spec: str, paths: list[str]) -> None:
    """What may only follow from another mistake is left out; independent mistakes are not."""
    assert [d.path for d in findings_of("VirtualService", spec)] == paths
