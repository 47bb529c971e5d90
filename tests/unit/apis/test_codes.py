"""Codes of findings."""

from __future__ import annotations

import pytest

import meshctl_operator.apis.codes
import meshctl_operator.apis.validation.codes  # noqa: F401  (fills the catalogue)
from meshctl_operator.base.codes import catalogue

OURS = {code: page for code, page in catalogue().items() if code.startswith("MC1")}


@pytest.mark.parametrize("code", OURS)
def test_every_code_has_a_page(code: str) -> None:
    """A page says cause, example and fix, in sentences."""
    page = OURS[code]
    assert page.title
    assert page.cause.endswith(".")
    assert page.fix.endswith(".")
    assert page.example


def test_ranges() -> None:
    """Codes of this package start with MC1 and have four digits."""
    assert len(OURS) > 60
    assert all(len(code) == 6 and code[2:].isdigit() for code in OURS)
