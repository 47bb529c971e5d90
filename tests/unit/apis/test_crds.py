"""The CustomResourceDefinitions of the routing kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.apis.crds import MOST_BYTES, crd, file_name, main, render, root_schema
from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.descriptions import DESCRIPTIONS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.schema import Node, node_of
from tests.support.structural_schema import structural_faults

FOLDER = Path(__file__).parents[3] / "crds"
KINDS = sorted(ROUTING_SPECS)
COLUMNS = {
    Kind.GATEWAY: ["Accepted", "Programmed", "Age"],
    Kind.VIRTUAL_SERVICE: ["Gateways", "Hosts", "Accepted", "Programmed", "Age"],
    Kind.DESTINATION_RULE: ["Host", "Accepted", "Programmed", "Age"],
    Kind.SERVICE_ENTRY: ["Hosts", "Location", "Resolution", "Accepted", "Programmed", "Age"],
    Kind.WORKLOAD_ENTRY: ["Address", "Accepted", "Programmed", "Age"],
    Kind.WORKLOAD_GROUP: ["Accepted", "Programmed", "Age"],
    Kind.SIDECAR: ["Accepted", "Programmed", "Age"],
}


def spec(kind: Kind) -> Any:
    """Return the specification of the CRD of a kind."""
    return crd(kind)["spec"]


def subschemas(schema: Any) -> Iterator[Any]:
    """Yield every mapping in a schema."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from subschemas(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from subschemas(inner)


def messages(node: Node) -> Iterator[Node]:
    """Yield every message at or below a place."""
    if node.fields is not None:
        yield node
    for field in (node.fields or {}).values():
        yield from messages(field.node)
    if node.item is not None:
        yield from messages(node.item)


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_up_to_date(kind: Kind) -> None:
    """The committed files follow from the models: python -m meshctl_operator.apis.crds crds."""
    assert (FOLDER / file_name(kind)).read_text() == render(kind)


def test_there_is_a_file_for_each_kind_and_no_other(tmp_path: Path) -> None:
    """The command writes what is committed, file by file."""
    main(tmp_path / "crds")
    written = {path.name: path.read_text() for path in (tmp_path / "crds").iterdir()}
    assert written == {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert len(written) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_schemas_are_structural(kind: Kind) -> None:
    """An API server takes the schema: no references, no types in junctions, no closed mappings."""
    assert list(structural_faults(root_schema(kind))) == []


@pytest.mark.parametrize("kind", KINDS)
def test_expressions_are_not_used(kind: Kind) -> None:
    """CEL has a budget that big schemas exceed; and nothing is limited that Istio does not limit: no lengths, no patterns."""
    for schema in subschemas(root_schema(kind)):
        assert not schema.keys() & {"x-kubernetes-validations", "maxItems", "maxLength", "minItems", "minLength", "pattern", "$ref"}


@pytest.mark.parametrize("kind", KINDS)
def test_client_side_apply_takes_it(kind: Kind) -> None:
    """Client-side apply keeps the object in an annotation, so it may not be larger than annotations may be."""
    assert len(render(kind).encode()) < MOST_BYTES
    assert len(json.dumps(crd(kind)).encode()) < MOST_BYTES


@pytest.mark.parametrize("kind", KINDS)
def test_all_versions_are_the_same(kind: Kind) -> None:
    """One version is stored, all are served, with one schema and a status of its own."""
    versions = spec(kind)["versions"]
    assert [(version["name"], version["served"], version["storage"]) for version in versions] == [
        ("v1", True, True),
        ("v1beta1", True, False),
        ("v1alpha3", True, False),
    ]
    first = versions[0]
    for version in versions:
        assert version["schema"] == first["schema"]
        assert version["additionalPrinterColumns"] == first["additionalPrinterColumns"]
        assert version["subresources"] == {"status": {}}


@pytest.mark.parametrize("kind", KINDS)
def test_columns(kind: Kind) -> None:
    """The columns are those that users know, then the two conditions, then the age."""
    columns = spec(kind)["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == COLUMNS[kind]
    paths = {column["name"]: column["jsonPath"] for column in columns}
    assert paths["Programmed"] == '.status.conditions[?(@.type=="Programmed")].status'
    assert all(path.startswith((".spec.", ".status.", ".metadata.")) for path in paths.values())


def test_names() -> None:
    """Names, short names and categories are Istio's."""
    names = spec(Kind.SERVICE_ENTRY)["names"]
    assert names == {
        "kind": "ServiceEntry",
        "listKind": "ServiceEntryList",
        "plural": "serviceentries",
        "singular": "serviceentry",
        "categories": ["istio-io", "networking-istio-io"],
        "shortNames": ["se"],
    }
    assert "shortNames" not in spec(Kind.SIDECAR)["names"]
    assert crd(Kind.SERVICE_ENTRY)["metadata"]["name"] == "serviceentries.networking.istio.io"  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_are_merged_by_type(kind: Kind) -> None:
    """Writers own their conditions each, and what we do not know in a status stays."""
    status: Any = root_schema(kind)["properties"]["status"]  # type: ignore[index]
    assert status["x-kubernetes-preserve-unknown-fields"] is True
    conditions = status["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_plain_yaml(kind: Kind) -> None:
    """The file has no anchors, and reading it gives the definition."""
    text = render(kind)
    assert yaml.safe_load(text) == crd(kind)
    assert "&id" not in text


def test_every_field_is_described() -> None:
    """Each field of each message has a text, each text has a field, and texts end with a full stop."""
    fields = {node.name: set(node.field_names) for model in ROUTING_SPECS.values() for node in messages(node_of(model))}
    assert {message: set(texts) for message, texts in DESCRIPTIONS.items()} == fields
    for texts in DESCRIPTIONS.values():
        for text in texts.values():
            assert text.endswith(".")
            assert len(text) <= 200
