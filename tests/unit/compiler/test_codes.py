"""Codes of findings about routes."""

from __future__ import annotations

import pytest

from meshctl_operator.base.codes import Code, catalogue
from meshctl_operator.compiler import codes

PAGES = [value for value in vars(codes).values() if isinstance(value, Code)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.code)
def test_page_is_complete(page: Code) -> None:
    """Each code lies in the range of routes, is in the catalogue, and says cause, example and fix."""
    assert page.code.startswith("MC22")
    assert catalogue()[page.code] is page
    assert page.title
    assert page.cause.endswith(".")
    assert page.example
    assert page.fix.endswith(".")
