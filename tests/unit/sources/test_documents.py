"""A file is cut into documents; one that is broken costs none of the others."""

from __future__ import annotations

import pytest

from meshctl_operator.base.codes import Code
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.sources import codes
from meshctl_operator.sources.documents import parse


def test_documents_are_numbered_and_have_lines() -> None:
    """Comments before the first separator are no document; an empty document counts but is not returned."""
    found = parse("# head\n---\na: 1\n---\n---\n# note\nb: 2\n", "f.yaml")
    assert [(document.index, document.line, document.raw) for document in found] == [(0, 3, {"a": 1}), (2, 7, {"b": 2})]


def test_a_broken_document_costs_none_of_the_others() -> None:
    """The documents around it are read; its finding has file and line."""
    first, broken, last = parse("a: 1\n---\nb: [\nc: 2\n---\nd: 3\n", "f.yaml")
    assert (first.raw, last.raw) == ({"a": 1}, {"d": 3})
    assert broken.raw is None
    (finding,) = broken.findings
    assert (finding.code, finding.severity, finding.source, finding.line) == (codes.NOT_YAML.code, Severity.ERROR, "f.yaml", 4)
    assert broken.line == 3


def test_separators_inside_a_block_are_text() -> None:
    """An indented line of dashes belongs to the block scalar."""
    (document,) = parse("a: |\n  x\n  ---\n  y\n", "f.yaml")
    assert document.raw == {"a": "x\n---\ny\n"}


def test_directives_belong_to_the_document_that_follows() -> None:
    """``%YAML`` stands before the separator of its document."""
    found = parse("a: 1\n...\n%YAML 1.1\n---\nb: 2\n", "f.yaml")
    assert [document.raw for document in found] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("kind", ["List", "VirtualServiceList"])
def test_lists_are_unfolded(kind: str) -> None:
    """Each item is a document with the line where it stands, under the index of the List."""
    text = f"kind: {kind}\nitems:\n- kind: A\n  spec: {{x: 1}}\n- kind: B\n  spec:\n    y: 2\n"
    found = parse(text, "f.yaml")
    assert [(document.index, document.line, document.raw and document.raw["kind"]) for document in found] == [(0, 3, "A"), (0, 5, "B")]
    assert found[1].line_of("spec.y") == 7


def test_an_item_that_is_no_object_is_reported_alone() -> None:
    """The other items of the List stay."""
    good, bad = parse("kind: List\nitems:\n- kind: A\n- 5\n", "f.yaml")
    assert good.raw == {"kind": "A"}
    assert [finding.code for finding in bad.findings] == [codes.NOT_AN_OBJECT.code]


def test_an_empty_list_has_no_documents() -> None:
    """``items: null`` is what an empty List looks like."""
    assert parse("kind: List\nitems:\n", "f.yaml") == ()


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "[1, 2]"])
def test_what_is_no_mapping_is_reported(text: str) -> None:
    """A list or a single value cannot be a config object."""
    (document,) = parse(text, "f.yaml")
    assert [finding.code for finding in document.findings] == [codes.NOT_AN_OBJECT.code]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("kind: List\nitems: [null]", "items[0] is null;"),
        ("true", "is the single value true;"),
        ("x" * 500, f'is the single value "{"x" * 55} ...;'),
    ],
    ids=["null", "boolean", "long"],
)
def test_values_are_shown_as_they_may_be_written(text: str, shown: str) -> None:
    """In the notation of YAML and JSON, not of Python, and cut short."""
    (document,) = parse(text, "f.yaml")
    assert document.findings[0].message.startswith(shown)


def test_json_is_read_as_json() -> None:
    """JSON may contain tabs and surrogate pairs, which YAML does not know."""
    (document,) = parse('\n{\n\t"kind": "A",\n\t"spec": {"x": ["\\ud83d\\ude00", 1]}\n}', "f.json")
    assert document.raw == {"kind": "A", "spec": {"x": ["\U0001f600", 1]}}
    assert document.line == 2
    assert document.line_of("kind") == 3


@pytest.mark.parametrize(
    ("text", "code"),
    [('{"a": 1, "a": 2}', codes.DUPLICATE_KEY), ('{"a": ' * 100_000, codes.YAML_LIMIT), ('{"a": NaN', codes.NOT_YAML)],
)
def test_bad_json_is_reported(text: str, code: Code) -> None:
    """Names given twice and bottomless nesting are refused as in YAML."""
    (document,) = parse(text, "f.json")
    assert [finding.code for finding in document.findings] == [code.code]


def test_locate_fills_in_file_and_line_once() -> None:
    """A finding that has a place keeps it."""
    (document,) = parse("spec:\n  hosts:\n  - a\n", "f.yaml")
    finding = codes.NOT_YAML.error(ObjectKey("VirtualService", "a", "b"), "spec.hosts[0]", "wrong")
    located = document.locate(finding)
    assert (located.source, located.line) == ("f.yaml", 3)
    assert document.locate(finding.at("other", 9)) == finding.at("other", 9)
