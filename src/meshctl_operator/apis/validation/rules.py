"""The table of rules: which check runs on which kind."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.validation.findings import Findings


def check(obj: ConfigObject[Any], findings: Findings) -> None:
    """Run every rule that looks at an object of this kind alone."""
