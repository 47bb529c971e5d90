"""Where rules write what they find."""

from __future__ import annotations

from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.objects import ObjectKey


def test_errors_and_warnings() -> None:
    """Findings keep their order, their severity and their subject."""
    key = ObjectKey("Gateway", "shop", "a")
    findings = Findings(key)
    findings.error(codes.BAD_PORT, "p", "0 is not a port", hint="h")
    findings.warn(codes.DEPRECATED, "q", "is deprecated")
    assert [(d.subject, d.severity, d.code, d.path, d.hint) for d in findings.items] == [
        (key, Severity.ERROR, "MC1021", "p", "h"),
        (key, Severity.WARNING, "MC1030", "q", None),
    ]
