"""Conditions of an object's status, as they are stored and as we want them (Kubernetes ``metav1.Condition``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LONGEST_MESSAGE: Final = 1024
"""Characters of a message: enough for a person, and far below what an API server takes."""


class ConditionType(StrEnum):
    """The conditions that are ours; whatever else stands in a status belongs to somebody else.

    The first three always have a status; the others are there only while they are true.
    """

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    PARTIALLY_INVALID = "PartiallyInvalid"
    CONFLICTED = "Conflicted"
    NOT_APPLIED = "NotApplied"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition is as it is, for programs."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    RESOLVED_REFS = "ResolvedRefs"
    HOST_NOT_FOUND = "HostNotFound"
    SUBSET_NOT_FOUND = "SubsetNotFound"
    PORT_NOT_FOUND = "PortNotFound"
    GATEWAY_NOT_FOUND = "GatewayNotFound"
    HOST_NOT_IN_GATEWAY = "HostNotInGateway"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105  (the name of a state)
    SECRET_INVALID = "SecretInvalid"  # noqa: S105  (the name of a state)
    DELEGATE_NOT_FOUND = "DelegateNotFound"
    PROGRAMMED = "Programmed"
    PENDING = "Pending"
    ENVOY_REJECTED = "EnvoyRejected"
    NO_PROXIES = "NoProxies"
    PARTS_LEFT_OUT = "PartsLeftOut"
    UNSUPPORTED = "Unsupported"
    CONFLICT = "Conflict"
    MATCHES_NOTHING = "MatchesNothing"


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of ours, about one generation of the spec. ``last_transition`` is empty until it is written (RFC 3339)."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    message: str
    observed_generation: int
    last_transition: str = ""

    @property
    def holds(self) -> bool:
        """Whether the status is True."""
        return self.status is ConditionStatus.TRUE

    def to_json(self) -> dict[str, object]:
        """Return the condition as an API server stores it."""
        return {
            "type": self.type.value,
            "status": self.status.value,
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.last_transition,
            "observedGeneration": self.observed_generation,
        }


_TYPES: Final = tuple(ConditionType)
_STATUSES: Final = tuple(ConditionStatus)

Conditions = tuple[Condition, ...]
"""Conditions of ours, each type at most once, in the order of ``ConditionType``."""


def find(conditions: Iterable[Condition], of: ConditionType) -> Condition | None:
    """Return the condition of a type, or None."""
    return next((condition for condition in conditions if condition.type is of), None)


def stored_conditions(status: object) -> Conditions:
    """Return the conditions of ours in a ``status`` as stored; what cannot be read is left out, as if it was never written."""
    found = {entry.type: entry for raw in raw_conditions(status) if (entry := _read(raw)) is not None}
    return tuple(found[of] for of in ConditionType if of in found)


def raw_conditions(status: object) -> tuple[Mapping[str, object], ...]:
    """Return all conditions in a ``status`` as stored, whoever wrote them."""
    entries = status.get("conditions") if isinstance(status, Mapping) else None
    return tuple(entry for entry in entries if isinstance(entry, Mapping)) if isinstance(entries, list | tuple) else ()


def is_ours(raw: Mapping[str, object]) -> bool:
    """Tell whether a stored condition is one of ours."""
    return raw.get("type") in _TYPES


def _read(raw: Mapping[str, object]) -> Condition | None:
    status, generation = raw.get("status"), raw.get("observedGeneration", 0)
    if not is_ours(raw) or status not in _STATUSES:
        return None
    if isinstance(generation, str) and generation.isdecimal():  # Istio's schema takes text as well
        generation = int(generation)
    return Condition(
        ConditionType(str(raw["type"])),
        ConditionStatus(str(status)),
        str(raw.get("reason", "")),
        str(raw.get("message", "")),
        generation if isinstance(generation, int) else 0,
        str(raw.get("lastTransitionTime", "")),
    )
