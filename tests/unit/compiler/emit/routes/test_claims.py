"""Emitting matchers of claims."""

from __future__ import annotations

from meshctl_operator.compiler.emit.routes.claims import emit_claim_match
from meshctl_operator.compiler.inputs.routes import ClaimMatchInput, MatchKind, TextMatchInput
from tests.support.mesh_text import as_json

PATH = {"filter": "envoy.filters.http.jwt_authn", "path": [{"key": "payload"}, {"key": "a"}, {"key": "b"}]}


def test_text() -> None:
    """A claim is a text that fits, or a list with a text that does."""
    text = {"string_match": {"exact": "x"}}
    claim = ClaimMatchInput(("a", "b"), TextMatchInput(MatchKind.EXACT, "x"))
    assert as_json(emit_claim_match(claim)) == {
        **PATH,
        "value": {"or_match": {"value_matchers": [{"list_match": {"one_of": text}}, text]}},
    }


def test_presence() -> None:
    """A claim may only have to be there, or to be missing."""
    claim = ClaimMatchInput(("a", "b"), TextMatchInput(MatchKind.PRESENT), invert=True)
    assert as_json(emit_claim_match(claim)) == {**PATH, "value": {"present_match": True}, "invert": True}
