"""The pages of the findings of translate."""

from __future__ import annotations

from meshctl_operator.base.codes import catalogue
from meshctl_operator.controlplane import translation_codes


def test_codes_are_in_the_catalogue() -> None:
    """``meshctl docs`` finds them."""
    for code in (translation_codes.UNKNOWN_WORKLOAD, translation_codes.THROW_AWAY_CERTIFICATE):
        assert catalogue()[code.code] is code
