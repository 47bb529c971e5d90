"""Events."""

from __future__ import annotations

from meshctl_operator.status.transitions import EventReason, Transition, transitions
from tests.support.conditions import condition

VALID = condition("Accepted", message="valid")
PENDING = condition("Programmed", "False", "Pending")
REFUSED = condition("Programmed", "False", "EnvoyRejected", "p1 rejected 80: no")
CONFLICT = condition("Conflicted", message="the older one wins")


def test_life_of_an_object() -> None:
    """Each change of fortune is one Event, with the message of its condition."""
    assert transitions((), (VALID, PENDING)) == (Transition(EventReason.ACCEPTED, "valid"),)
    assert transitions((VALID, PENDING), (VALID, REFUSED)) == (Transition(EventReason.ENVOY_REJECTED, "p1 rejected 80: no"),)
    assert [event.reason for event in transitions((VALID, REFUSED), (VALID, condition("Programmed")))] == ["Programmed"]
    assert [event.reason for event in transitions((VALID,), (condition("Accepted", "False", "Invalid"),))] == ["Rejected"]
    assert [event.reason for event in transitions((VALID,), (VALID, CONFLICT))] == ["Conflict"]


def test_what_holds_on_is_no_event() -> None:
    """A new generation, another count or a condition that is no news is not told again."""
    after = (condition("Accepted", generation=2), condition("Programmed", generation=2), CONFLICT, condition("NotApplied"))
    assert transitions((VALID, condition("Programmed"), CONFLICT), after) == ()
    assert transitions((VALID, PENDING, condition("ResolvedRefs")), (VALID, PENDING, condition("ResolvedRefs", "False"))) == ()


def test_warnings() -> None:
    """What went wrong is a warning."""
    assert [reason.value for reason in EventReason if reason.is_warning] == ["Rejected", "EnvoyRejected", "Conflict"]
