"""From findings and acknowledgements to the conditions of one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.acknowledgements import Acknowledgements
from meshctl_operator.status.conditions import Condition, Conditions, ConditionStatus, ConditionType, Reason, find
from meshctl_operator.status.findings import Sorted, clipped, sort_findings, told

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """An object that we give a status.

    Attributes:
        key: which object.
        generation: the generation of its spec now.
        conditions: what its status says now (``stored_conditions``).
        in_service: the generation that is served, where it is another one: the last valid one. None when there is none.
    """

    key: ObjectKey
    generation: int
    conditions: Conditions = ()
    in_service: int | None = None


def reduce(subject: Subject, findings: Iterable[Diagnostic], acknowledgements: Acknowledgements) -> Conditions:
    """Return the conditions that an object should have.

    ``Programmed`` that was once true of a generation stays, unless a proxy rejects what was computed from it: proxies that join later,
    restart or leave take nothing back. While not every replica has reported nothing changes to the better or the worse, but rejections.
    """
    found = sort_findings(subject.key, findings)

    def condition(of: ConditionType, status: ConditionStatus, reason: Reason, message: str) -> Condition:
        return Condition(of, status, reason.value, clipped(message), subject.generation)

    programmed = _programmed(subject, found, acknowledgements)
    if found.invalid:
        unknown = "is not looked at while the object is not valid"
        return (
            condition(ConditionType.ACCEPTED, ConditionStatus.FALSE, Reason.INVALID, told(found.invalid)),
            condition(ConditionType.RESOLVED_REFS, ConditionStatus.UNKNOWN, Reason.INVALID, unknown),
            programmed,
        )
    remarks = f"valid, but: {told(found.remarks)}" if found.remarks else "valid"
    conditions = [condition(ConditionType.ACCEPTED, ConditionStatus.TRUE, Reason.ACCEPTED, remarks)]
    broken = found.effects.get(ConditionType.RESOLVED_REFS)
    if broken is None:
        text = "everything that it refers to exists"
        conditions.append(condition(ConditionType.RESOLVED_REFS, ConditionStatus.TRUE, Reason.RESOLVED_REFS, text))
    else:
        conditions.append(condition(ConditionType.RESOLVED_REFS, ConditionStatus.FALSE, broken[0], told(broken[1])))
    conditions.append(programmed)
    for of in (ConditionType.PARTIALLY_INVALID, ConditionType.CONFLICTED, ConditionType.NOT_APPLIED):
        if of in found.effects:
            reason, about = found.effects[of]
            conditions.append(condition(of, ConditionStatus.TRUE, reason, told(about)))
    return tuple(conditions)


def _programmed(subject: Subject, found: Sorted, said: Acknowledgements) -> Condition:
    """Return the condition ``Programmed``, from what the proxies said and from what was written before."""

    def condition(status: ConditionStatus, reason: Reason, message: str) -> Condition:
        return Condition(ConditionType.PROGRAMMED, status, reason.value, clipped(message), subject.generation)

    before = find(subject.conditions, ConditionType.PROGRAMMED)
    before = before if before is not None and before.observed_generation == subject.generation else None
    is_current = said.generation == subject.generation
    if is_current and said.rejections:
        return condition(ConditionStatus.FALSE, Reason.ENVOY_REJECTED, _rejected(said))
    if before is not None and (before.holds or not said.complete):
        return before
    if found.invalid:
        served = f"generation {subject.in_service} stays in service" if subject.in_service is not None else "nothing of it is served"
        return condition(ConditionStatus.FALSE, Reason.INVALID, f"the object is not valid; {served}")
    if not said.complete:
        return condition(ConditionStatus.UNKNOWN, Reason.PENDING, "not every replica of the control plane has reported yet")
    if not is_current:
        return condition(ConditionStatus.FALSE, Reason.PENDING, "not on its way to the proxies yet")
    if not said.should_have:
        return condition(ConditionStatus.FALSE, Reason.NO_PROXIES, "there is no proxy that should have it")
    if said.missing:
        return condition(ConditionStatus.FALSE, Reason.PENDING, _pending(said))
    return condition(ConditionStatus.TRUE, Reason.PROGRAMMED, _count(said))


def _count(said: Acknowledgements) -> str:
    total = len(said.should_have)
    return f"{len(said.have)}/{total} {'proxy' if total == 1 else 'proxies'}"


def _pending(said: Acknowledgements) -> str:
    named = [f"{proxy} (not connected)" if proxy in said.lost else proxy for proxy in sorted(said.missing)]
    return f"{_count(said)}; waiting for {_listed(named)}"


def _rejected(said: Acknowledgements) -> str:
    """Return Envoy's own text, with the name of the proxy that sorts first and how many others reject as well."""
    first = min(said.rejections)
    others = {rejection.proxy for rejection in said.rejections} - {first.proxy}
    more = f" (and {len(others)} more {'proxy' if len(others) == 1 else 'proxies'})" if others else ""
    return f"{first.proxy} rejected {first.resource}{more}: {first.message.strip()}"


def _listed(names: list[str]) -> str:
    shown, rest = names[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {rest} more" if rest > 0 else "")
