"""The pages of the findings of the local mesh."""

from __future__ import annotations

from meshctl_operator.base.codes import catalogue
from meshctl_operator.dev import codes


def test_codes_are_in_the_catalogue() -> None:
    """``meshctl docs`` finds them."""
    for code in (codes.NOT_RUN, codes.NOT_A_DEPLOYMENT, codes.NOT_HTTP, codes.RESTART_TO_RUN):
        assert catalogue()[code.code] is code
