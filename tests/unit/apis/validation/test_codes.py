"""Codes of the rules."""

from __future__ import annotations

from meshctl_operator.apis.validation import codes
from meshctl_operator.base.codes import Code

RANGES = {"MC10", "MC11", "MC12", "MC13", "MC14", "MC15", "MC16"}


def test_codes_are_in_the_ranges_of_their_kinds() -> None:
    """Each kind has a range of codes of its own."""
    found = [code.code for code in vars(codes).values() if isinstance(code, Code)]
    assert {code[:4] for code in found} == RANGES
    assert len(found) == len(set(found))
