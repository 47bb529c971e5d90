"""Diagnostics have one public form, and codes are unique."""

from __future__ import annotations

from enum import StrEnum

import pytest

from meshctl_operator.base import codes
from meshctl_operator.base.diagnostics import Severity, has_errors, sorted_unique
from meshctl_operator.base.objects import ObjectKey

KEY = ObjectKey("VirtualService", "shop", "cart")


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> codes.Code:
    """A code of its own catalogue."""
    monkeypatch.setattr(codes, "_CATALOGUE", {})
    return codes.define("MC1", "title", cause="c", example="e", fix="f", istio_code="IST0101")


def test_json_form(code: codes.Code) -> None:
    """The JSON form has exactly the public keys."""
    found = code.error(KEY, "spec.hosts[0]", "is wrong", hint="do this").at("a.yaml", 14)
    assert found.to_json() == {
        "code": "MC1",
        "severity": "error",
        "object": {"kind": "VirtualService", "namespace": "shop", "name": "cart"},
        "path": "spec.hosts[0]",
        "source": "a.yaml",
        "line": 14,
        "message": "is wrong",
        "hint": "do this",
        "istio_code": "IST0101",
    }


def test_json_form_is_plain_data(code: codes.Code) -> None:
    """A kind that is an enum is written as text, which every encoder knows."""

    class Kind(StrEnum):
        A = "A"

    shown = code.error(ObjectKey(Kind.A, "", "x"), "", "is wrong").to_json()["object"]
    assert isinstance(shown, dict)
    assert type(shown["kind"]) is str


def test_a_file_is_named_once(code: codes.Code) -> None:
    """A finding about a file as a whole says its name as the place alone."""
    found = code.error(ObjectKey("File", "", "a.yaml"), "", "is not YAML").at("a.yaml", 3)
    assert str(found) == "a.yaml:3: error [MC1] is not YAML"
    assert str(code.error(ObjectKey("MeshConfig", "", "mesh"), "", "is odd")) == "error [MC1] MeshConfig mesh: is odd"


def test_text_form(code: codes.Code) -> None:
    """The text names place, severity, code, object, path, message and hint."""
    found = code.warning(KEY, "spec.hosts[0]", "is odd", hint="do this").at("a.yaml", 14)
    assert str(found) == "a.yaml:14: warning [MC1] VirtualService shop/cart: spec.hosts[0] is odd (do this)"
    assert str(code.info(ObjectKey("Node", "", "n1"), "", "hello")) == "info [MC1] Node n1: hello"


def test_severities(code: codes.Code) -> None:
    """Only an error counts as an error."""
    assert has_errors([code.warning(KEY, "", "a"), code.error(KEY, "", "b")])
    assert not has_errors([code.warning(KEY, "", "a"), code.info(KEY, "", "b")])
    assert code.info(KEY, "", "x").severity is Severity.INFO


def test_sorted_unique(code: codes.Code) -> None:
    """Findings met twice are kept once, in the order of object and path."""
    first, second = code.error(KEY, "a", "x"), code.error(KEY, "b", "x")
    assert sorted_unique([second, first, second]) == (first, second)
