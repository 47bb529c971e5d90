"""Conditions as they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.status.conditions import ConditionType, Reason, find, is_ours, raw_conditions, stored_conditions
from meshctl_operator.status.transitions import EventReason
from tests.support.conditions import condition

HEALTHY = {"type": "Healthy", "status": "True", "lastProbeTime": "2026-01-01T00:00:00Z"}


def test_round_trip() -> None:
    """What is written is read again, in the order of the types."""
    ours = (condition("Accepted", at="2026-01-01T00:00:00Z"), condition("Programmed", "False", "Pending", "1/2 proxies", 3))
    assert stored_conditions({"conditions": [entry.to_json() for entry in reversed(ours)]}) == ours


def test_those_of_others_are_not_ours() -> None:
    """Conditions of other controllers are seen, and left aside."""
    status = {"conditions": [HEALTHY, condition("Accepted").to_json()]}
    assert [found.type for found in stored_conditions(status)] == [ConditionType.ACCEPTED]
    assert raw_conditions(status)[0] == HEALTHY
    assert not is_ours(HEALTHY)


@pytest.mark.parametrize(
    "status",
    [None, "text", {}, {"conditions": None}, {"conditions": ["text", {"type": "Accepted"}, {"type": ["Accepted"], "status": "True"}]}],
    ids=["none", "text", "empty", "null", "odd entries"],
)
def test_an_odd_status_has_no_conditions(status: object) -> None:
    """What cannot be read counts as never written."""
    assert stored_conditions(status) == ()


def test_generation_as_text() -> None:
    """Istio's schema takes the generation as text as well."""
    raw = {"type": "Accepted", "status": "True", "observedGeneration": "4"}
    assert stored_conditions({"conditions": [raw]})[0].observed_generation == 4
    assert stored_conditions({"conditions": [raw | {"observedGeneration": "x"}]})[0].observed_generation == 0


def test_find() -> None:
    """A condition is found by its type."""
    accepted = condition("Accepted")
    assert find((accepted,), ConditionType.ACCEPTED) is accepted
    assert find((accepted,), ConditionType.PROGRAMMED) is None
    assert accepted.holds
    assert not condition("Accepted", "Unknown").holds


def test_the_page_of_conditions_names_them_all() -> None:
    """What can stand in a status is explained in the reference."""
    page = (Path(__file__).parents[3] / "docs" / "reference" / "conditions.md").read_text()
    assert [word for word in (*ConditionType, *Reason, *EventReason) if f"`{word.value}`" not in page] == []
