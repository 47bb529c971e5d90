"""The pages of the listener codes."""

from __future__ import annotations

from meshctl_operator.base.codes import Code, catalogue
from meshctl_operator.compiler import listener_codes


def test_every_code_has_a_page() -> None:
    """Codes about listeners are MC228x and stand in the catalogue with a page."""
    codes = [value for value in vars(listener_codes).values() if isinstance(value, Code)]
    assert codes
    for code in codes:
        assert code.code.startswith("MC228")
        assert catalogue()[code.code] is code
        assert all((code.title, code.cause, code.example, code.fix))
