"""The pages of the gateway codes."""

from __future__ import annotations

from meshctl_operator.base.codes import Code, catalogue
from meshctl_operator.model import gateway_codes


def test_every_code_is_in_its_range() -> None:
    """Codes about gateways are MC21xx and stand in the catalogue with a page."""
    codes = [value for value in vars(gateway_codes).values() if isinstance(value, Code)]
    assert codes
    for code in codes:
        assert code.code.startswith("MC21")
        assert catalogue()[code.code] is code
        assert all((code.title, code.cause, code.example, code.fix))
