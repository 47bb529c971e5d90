"""The routing objects that the tests have, valid and broken, as users would send them to an API server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.schema import node_of
from tests.support.documents import document
from tests.support.structural_schema import as_json

ROOT: Final = Path(__file__).parents[2]


def samples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each sample with the name of where it stands."""
    table = yaml.safe_load((ROOT / "tests" / "unit" / "apis" / "validation" / "verdicts.yaml").read_text())
    for kind, verdicts in table.items():
        for verdict, specs in verdicts.items():
            for number, spec in enumerate(specs):
                yield f"verdicts {kind} {verdict} {number}", document(kind, spec)
    for folder in ("tests", "examples"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            if "xds." not in path.name:
                for number, raw in enumerate(yaml.safe_load_all(path.read_text())):
                    if isinstance(raw, dict) and is_routing(raw):
                        yield f"{path.relative_to(ROOT)} {number}", raw


def is_routing(raw: dict[str, Any]) -> bool:
    """Tell whether a document is a routing object."""
    return str(raw.get("apiVersion", "")).startswith("networking.istio.io/") and raw.get("kind") in set(ROUTING_SPECS)


def as_sent(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a document as kubectl would send it for a new object: in the spelling of API servers, without what these set."""
    meta = raw.get("metadata")
    if isinstance(meta, dict):
        meta = {key: value for key, value in meta.items() if key in {"name", "namespace", "labels", "annotations"}}
        meta.setdefault("namespace", "default")
    sent = {**raw, "metadata": meta}
    sent.pop("status", None)
    if isinstance(raw.get("spec"), dict):
        sent["spec"] = as_json(raw["spec"], node_of(ROUTING_SPECS[Kind(raw["kind"])]))
    return sent
