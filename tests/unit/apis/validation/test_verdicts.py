"""Accepted or refused: one spec for every sentence of the field tables of Gateway and VirtualService."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from meshctl_operator.apis.changes import Rejected, Upsert
from meshctl_operator.apis.decode import decode
from tests.support.documents import document

TABLE: dict[str, dict[str, list[str]]] = yaml.safe_load((Path(__file__).parent / "verdicts.yaml").read_text())
CASES = [(kind, verdict, spec) for kind, verdicts in TABLE.items() for verdict, specs in verdicts.items() for spec in specs]


@pytest.mark.parametrize(("kind", "verdict", "spec"), CASES, ids=[f"{kind}-{verdict}-{spec}" for kind, verdict, spec in CASES])
def test_verdict(kind: str, verdict: str, spec: str) -> None:
    """The verdict is the one of the table; what is refused names at least one field."""
    raw: dict[str, Any] = document(kind, spec, namespace="default")
    decoded = decode(raw)
    assert isinstance(decoded, Upsert if verdict == "accepted" else Rejected), getattr(decoded, "diagnostics", decoded)


def test_table_is_read() -> None:
    """The table does not pass by being empty."""
    assert len(CASES) > 400
