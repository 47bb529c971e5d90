"""Codes of what proxies say."""

from __future__ import annotations

from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY


def test_the_code_is_of_its_range() -> None:
    """MC30xx is what a proxy said."""
    assert REJECTED_BY_PROXY.code == "MC3001"
