"""Where rules write what they find."""

from __future__ import annotations

from meshctl_operator.base.codes import Code
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey


class Findings:
    """The findings about one object, in the order in which the rules met them."""

    def __init__(self, subject: ObjectKey) -> None:
        """Take the object that the rules look at."""
        self.subject = subject
        self.items: list[Diagnostic] = []

    def error(self, code: Code, path: str, message: str, *, hint: str | None = None) -> None:
        """Report what admission refuses."""
        self.items.append(code.error(self.subject, path, message, hint=hint))

    def warn(self, code: Code, path: str, message: str, *, hint: str | None = None) -> None:
        """Report what is accepted and yet doubtful."""
        self.items.append(code.warning(self.subject, path, message, hint=hint))
