"""Every field of Gateway and VirtualService has a golden case that depends on it: the list comes from the models, so none is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from tests.support.field_paths import Use, field_paths, uses, without
from tests.support.golden import ROOT, GoldenCase

KINDS = (Kind.GATEWAY, Kind.VIRTUAL_SERVICE)
SAME_AS_UNSET = frozenset({"PASSTHROUGH", "TLS_AUTO", "UNSPECIFIED", "FORWARD", "FROM_PROTOCOL_DEFAULT"})
"""Values that mean what holds without the field: a case must set them, and it cannot differ."""
FIELDS = [(kind, path) for kind in KINDS for path in field_paths(ROUTING_SPECS[kind])]


@dataclass(frozen=True)
class Place:
    """Where a golden case sets a field."""

    case: GoldenCase
    file: Path
    document: int
    use: Use


def places() -> Iterator[tuple[Kind, Place]]:
    """Yield every use of a field of the kinds in the inputs that belong to a golden case."""
    for folder in sorted((ROOT / "fields").iterdir()):
        for number, document in enumerate(documents(folder / "in.yaml")):
            if document.get("kind") in KINDS:
                kind = Kind(document["kind"])
                for use in uses(document["spec"], ROUTING_SPECS[kind]):
                    yield kind, Place(GoldenCase(folder), folder / "in.yaml", number, use)


@cache
def documents(file: Path) -> tuple[dict[str, Any], ...]:
    """Return the documents of a file."""
    return tuple(yaml.safe_load_all(file.read_text()))


@cache
def places_by_field() -> dict[tuple[Kind, str], list[Place]]:
    """Return the uses by kind and path."""
    found: dict[tuple[Kind, str], list[Place]] = {}
    for kind, place in places():
        found.setdefault((kind, place.use.path), []).append(place)
    return found


def outputs(case: GoldenCase, file: Path, changed: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Return what a case gives with other documents."""
    return case.outputs({file: yaml.safe_dump_all(changed, sort_keys=False)})


@cache
def unchanged(case: GoldenCase, file: Path) -> dict[str, Any]:
    """Return what a case gives as it is, by the same way as when it is changed."""
    return outputs(case, file, documents(file))


@pytest.mark.parametrize(("kind", "path"), FIELDS, ids=[f"{kind.value}-{path}" for kind, path in FIELDS])
def test_field_has_a_case(kind: Kind, path: str) -> None:
    """Some case sets the field, and gives something else without it."""
    found = places_by_field().get((kind, path), [])
    assert found, f"no golden case under fields/ sets {path} of a {kind.value}"
    if path.partition("=")[2] in SAME_AS_UNSET:
        return
    for place in found:
        changed = list(documents(place.file))
        changed[place.document] = {**changed[place.document], "spec": without(changed[place.document]["spec"], place.use.steps)}
        if outputs(place.case, place.file, tuple(changed)) != unchanged(place.case, place.file):
            return
    pytest.fail(f"the cases that set {path} of a {kind.value} give the same without it: {sorted({place.case.name for place in found})}")
