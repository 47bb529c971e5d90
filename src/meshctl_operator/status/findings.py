"""Which condition a finding belongs to, by its code, and how findings read in a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.diagnostics import Diagnostic, Severity, sorted_unique
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.conditions import LONGEST_MESSAGE, ConditionType, Reason

Effect = tuple[ConditionType, Reason]

EFFECTS: Final[Mapping[str, tuple[Effect, ...]]] = {
    # references
    "MC2201": ((ConditionType.RESOLVED_REFS, Reason.HOST_NOT_FOUND),),
    "MC2202": ((ConditionType.RESOLVED_REFS, Reason.SUBSET_NOT_FOUND),),
    "MC2203": ((ConditionType.RESOLVED_REFS, Reason.PORT_NOT_FOUND),),
    "MC2205": ((ConditionType.RESOLVED_REFS, Reason.GATEWAY_NOT_FOUND),),
    "MC2206": ((ConditionType.RESOLVED_REFS, Reason.HOST_NOT_IN_GATEWAY),),
    "MC2107": ((ConditionType.RESOLVED_REFS, Reason.SECRET_NOT_FOUND),),
    "MC2108": ((ConditionType.RESOLVED_REFS, Reason.SECRET_INVALID),),
    "MC2240": ((ConditionType.RESOLVED_REFS, Reason.DELEGATE_NOT_FOUND),),
    "MC2310": ((ConditionType.RESOLVED_REFS, Reason.HOST_NOT_FOUND), (ConditionType.NOT_APPLIED, Reason.MATCHES_NOTHING)),
    # another object wins
    "MC2102": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2103": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2111": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2207": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2311": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2312": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    "MC2320": ((ConditionType.CONFLICTED, Reason.CONFLICT),),
    # nothing is meant
    "MC2304": ((ConditionType.NOT_APPLIED, Reason.MATCHES_NOTHING),),
    # what the object asks for has no effect yet
    "MC1902": ((ConditionType.PARTIALLY_INVALID, Reason.UNSUPPORTED),),
}
"""Findings about an accepted object. Another error leaves out what it is about; another warning is only told."""

_ABOUT_ONE_OBJECT: Final = "MC18"  # below are the codes of structure and of the rules that look at one object alone
_BY_PROXIES: Final = "MC30"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Sorted:
    """The findings about one object: why it is not accepted, those of each condition with the reason of the first, and mere remarks."""

    invalid: tuple[Diagnostic, ...]
    effects: Mapping[ConditionType, tuple[Reason, tuple[Diagnostic, ...]]]
    remarks: tuple[Diagnostic, ...]


def sort_findings(key: ObjectKey, findings: Iterable[Diagnostic]) -> Sorted:
    """Sort the findings about an object; those about others, and what proxies said, are left aside."""
    invalid: list[Diagnostic] = []
    remarks: list[Diagnostic] = []
    effects: dict[ConditionType, tuple[Reason, tuple[Diagnostic, ...]]] = {}
    for finding in sorted_unique(finding for finding in findings if finding.subject == key):
        if finding.code.startswith(_BY_PROXIES) or finding.severity is Severity.INFO:
            continue
        if finding.severity is Severity.ERROR and finding.code < _ABOUT_ONE_OBJECT:
            invalid.append(finding)
            continue
        default: tuple[Effect, ...] = ()
        if finding.severity is Severity.ERROR:
            default = ((ConditionType.PARTIALLY_INVALID, Reason.PARTS_LEFT_OUT),)
        found = EFFECTS.get(finding.code, default)
        for condition, reason in found:
            first, others = effects.get(condition, (reason, ()))
            effects[condition] = (first, (*others, finding))
        if not found:
            remarks.append(finding)
    return Sorted(tuple(invalid), effects, tuple(remarks))


def told(findings: Sequence[Diagnostic]) -> str:
    """Return findings as one message: path, what is wrong and the way out of the first few, and how many there are besides."""
    shown = [line(finding) for finding in findings[:_SHOWN]]
    rest = len(findings) - len(shown)
    return clipped("; ".join(shown) + (f"; and {rest} more" if rest else ""))


def line(finding: Diagnostic) -> str:
    """Return path, what is wrong, the way out and the code of a finding."""
    path = f"{finding.path} " if finding.path else ""
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{path}{finding.message}{hint} [{finding.code}]"


def clipped(text: str) -> str:
    """Return a text that is not too long for a message."""
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 3] + "..."
