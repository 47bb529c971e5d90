"""The generated field reference."""

from __future__ import annotations

from pathlib import Path

from meshctl_operator.apis.reference import render

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "fields.md"


def test_the_page_is_up_to_date() -> None:
    """The committed page follows from the models: python -m meshctl_operator.apis.reference > docs/reference/fields.md."""
    assert PAGE.read_text() == render()


def test_states() -> None:
    """A field shows its own state, that of what holds it, and values that differ."""
    rows = {tuple(cell.strip() for cell in line.split("|")[1:6]) for line in render().splitlines() if line.startswith("| `")}
    states = {(path, state): note for path, _, _, state, note in rows}
    assert ("`http[].timeout`", "compiled") in states
    assert states["`trafficPolicy.retryBudget.budgetInterval`", "validated only"].startswith("only requests that are active count")
    assert ("`template.serviceAccount`", "validated only") in states
    assert "`ISTIO_MUTUAL`" in states["`servers[].tls.mode`", "compiled"]
