"""What an API server refuses is refused by ``decode`` as well, whatever the document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import ROUTING_SPECS, decode
from meshctl_operator.apis.kinds import Kind
from tests.support.strategies.meshes import documents_of
from tests.support.strategies.mistakes import broken_documents
from tests.support.structural_schema import refusals

pytestmark = pytest.mark.property

ROOT = Path(__file__).parents[2]
DRAWN = tuple(kind for kind in ROUTING_SPECS if kind is not Kind.WORKLOAD_GROUP)


def fits(raw: Any) -> None:
    """Check that a document which is accepted fits its schema."""
    if isinstance(raw, dict) and raw.get("kind") in set(ROUTING_SPECS) and isinstance(decode(raw), Upsert):
        assert refusals(raw) == []


@settings(max_examples=4 * settings().max_examples)
@given(raw=documents_of(*DRAWN))
def test_what_is_accepted_fits_its_schema(raw: Any) -> None:
    """A valid document is never refused by the schema."""
    fits(raw)


@settings(max_examples=8 * settings().max_examples)
@given(raw=broken_documents())
def test_what_is_accepted_of_broken_documents_fits_its_schema(raw: Any) -> None:
    """A document with mistakes is refused by the schema only if it is rejected."""
    fits(raw)


@pytest.mark.parametrize("folder", ["tests", "examples"])
def test_every_written_document_fits_its_schema(folder: str) -> None:
    """The documents of the golden tests and of the examples are samples as well."""
    count = 0
    for path in sorted((ROOT / folder).rglob("*.yaml")):
        if "xds." not in path.name:
            for raw in yaml.safe_load_all(path.read_text()):
                fits(raw)
                count += 1
    assert count > 10
