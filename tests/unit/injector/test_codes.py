"""Codes of findings about injection."""

from __future__ import annotations

from meshctl_operator.base.codes import Code
from meshctl_operator.injector import codes


def test_every_code_has_a_page() -> None:
    """With sentences, in the range of this package."""
    pages = [value for value in vars(codes).values() if isinstance(value, Code)]
    assert len(pages) == 6
    for page in pages:
        assert page.code.startswith("MC43")
        assert page.cause.endswith(".")
        assert page.fix.endswith(".")
