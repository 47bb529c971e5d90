"""What is worth an Event when conditions change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from meshctl_operator.status.conditions import Condition, Conditions, ConditionStatus, ConditionType, Reason, find


class EventReason(StrEnum):
    """The Events that we write on objects."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"
    ENVOY_REJECTED = "EnvoyRejected"
    CONFLICT = "Conflict"
    PROGRAMMED = "Programmed"

    @property
    def is_warning(self) -> bool:
        """Whether the Event is of type Warning."""
        return self in {EventReason.REJECTED, EventReason.ENVOY_REJECTED, EventReason.CONFLICT}


@dataclass(frozen=True, slots=True)
class Transition:
    """An Event to write: its reason, and the message of the condition."""

    reason: EventReason
    message: str


def transitions(before: Conditions, after: Conditions) -> tuple[Transition, ...]:
    """Return the Events that lead from the stored conditions to the new ones. What merely holds of a new generation is no Event."""
    found = []
    for condition in after:
        reason = _event(condition)
        old = find(before, condition.type)
        if reason is not None and (old is None or _event(old) is not reason):
            found.append(Transition(reason, condition.message))
    return tuple(found)


def _event(condition: Condition) -> EventReason | None:
    match condition.type:
        case ConditionType.ACCEPTED:
            return EventReason.ACCEPTED if condition.holds else EventReason.REJECTED
        case ConditionType.PROGRAMMED:
            if condition.status is ConditionStatus.FALSE and condition.reason == Reason.ENVOY_REJECTED:
                return EventReason.ENVOY_REJECTED
            return EventReason.PROGRAMMED if condition.holds else None
        case ConditionType.CONFLICTED:
            return EventReason.CONFLICT if condition.holds else None
        case ConditionType.RESOLVED_REFS | ConditionType.PARTIALLY_INVALID | ConditionType.NOT_APPLIED:
            return None
        case _:
            assert_never(condition.type)
