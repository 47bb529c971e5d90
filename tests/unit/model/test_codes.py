"""The pages of the codes about services, endpoints, policies and scopes."""

from __future__ import annotations

from meshctl_operator.base.codes import Code, catalogue
from meshctl_operator.model import codes


def test_every_code_is_in_its_range() -> None:
    """Codes about services, endpoints and policies are MC23xx and stand in the catalogue with a page."""
    found = [value for value in vars(codes).values() if isinstance(value, Code)]
    assert found
    for code in found:
        assert code.code.startswith("MC23")
        assert catalogue()[code.code] is code
        assert all((code.title, code.cause, code.example, code.fix))
