"""Builders of findings, acknowledgements and conditions for tests of the status."""

from __future__ import annotations

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.acknowledgements import Acknowledgements, Rejection
from meshctl_operator.status.conditions import Condition, Conditions, ConditionStatus, ConditionType

KEY = ObjectKey(Kind.VIRTUAL_SERVICE, "shop", "reviews")


def finding(code: str, message: str = "is wrong", *, severity: Severity = Severity.WARNING, path: str = "spec.hosts[0]") -> Diagnostic:
    """Return a finding about the object that the tests are about."""
    return Diagnostic(code, severity, KEY, path, message, "put it right")


def acknowledged(have: int, total: int, *, generation: int = 1, rejections: tuple[Rejection, ...] = ()) -> Acknowledgements:
    """Return what is known when some of the proxies p0, p1... have it."""
    proxies = [f"p{number}.shop" for number in range(total)]
    return Acknowledgements(generation, frozenset(proxies), frozenset(proxies[:have]), rejections=rejections)


def condition(of: str, status: str = "True", reason: str = "", message: str = "", generation: int = 1, at: str = "") -> Condition:
    """Return a condition."""
    return Condition(ConditionType(of), ConditionStatus(status), reason or of, message, generation, at)


def by_type(conditions: Conditions) -> dict[str, tuple[str, str, str]]:
    """Return status, reason and message of each condition."""
    return {found.type.value: (found.status.value, found.reason, found.message) for found in conditions}
