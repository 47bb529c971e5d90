"""``decode`` is the door for whatever a user writes, and it stays on its hinges."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.apis.mesh_decode import decode_mesh_config
from meshctl_operator.base.diagnostics import Severity, has_errors
from tests.support.strategies.meshes import any_document
from tests.support.strategies.mistakes import anything, broken_documents, json_values, odd_values

pytestmark = pytest.mark.property

MESH_FIELDS = sorted(field.alias or name for name, field in MeshConfig.model_fields.items())
DEPTH = 20_000
MANY = settings(max_examples=8 * settings().max_examples)
"""Decoding is quick, so hypothesis may look longer."""


@MANY
@given(raw=anything(), validate=st.booleans())
def test_decode_never_raises(raw: Any, *, validate: bool) -> None:
    """Whatever a document holds, it is accepted, rejected with reasons, or not ours; findings can be printed."""
    decoded = decode(raw, validate=validate)
    match decoded:
        case Rejected():
            assert has_errors(decoded.diagnostics)
        case Upsert():
            assert decoded.key.name
            assert not has_errors(decoded.diagnostics)
        case Skipped():
            pass
    for finding in decoded.diagnostics:
        assert str(finding)
        assert json.dumps(finding.to_json())


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("shape", ["list", "rules"])
def test_depth_is_no_trap(kind: str, shape: str) -> None:
    """A document that is nested deeper than a program can follow is answered like any other."""
    value: Any = "x"
    for _ in range(DEPTH):
        value = {"list": [value], "rules": {"http": [value]}}[shape]
    info = KINDS[Kind(kind)]
    api_version = f"{info.group}/{info.versions[0]}" if info.group else info.versions[0]
    for part in ("spec", "metadata", "status", "data", "endpoints"):
        raw = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, part: value}
        for validate in (True, False):
            decoded = decode(raw, validate=validate)
            assert all(map(str, decoded.diagnostics))
    decode_mesh_config({"defaultConfig": value})
    decode_mesh_config(value)


@MANY
@given(raw=broken_documents())
def test_what_is_accepted_with_rules_is_the_same_without(raw: Any) -> None:
    """An accepted object is the same object without validation, and errors become warnings there."""
    strict, loose = decode(raw), decode(raw, validate=False)
    assert isinstance(loose, Upsert | Rejected)
    if isinstance(strict, Upsert):
        assert isinstance(loose, Upsert)
        assert loose == strict
    if isinstance(strict, Rejected) and isinstance(loose, Upsert):
        assert {finding.path for finding in strict.diagnostics} == {finding.path for finding in loose.diagnostics}
        assert all(finding.severity is not Severity.ERROR for finding in loose.diagnostics)


@MANY
@given(raw=st.one_of(json_values(), st.dictionaries(st.sampled_from(MESH_FIELDS), st.one_of(json_values(), odd_values), max_size=4)))
def test_mesh_config_never_raises(raw: Any) -> None:
    """Any MeshConfig is accepted or rejected with reasons."""
    decoded = decode_mesh_config(raw)
    assert isinstance(decoded, Upsert) or has_errors(decoded.diagnostics)
    decode_mesh_config(raw, validate=False)


@given(raw=any_document())
def test_a_document_without_findings_is_read_as_it_stands(raw: Any) -> None:
    """JSON and back changes nothing: what is decoded does not depend on how the text was parsed."""
    assert decode(json.loads(json.dumps(raw))) == decode(raw)
