"""Tests of the facts of an SDS secret with authorities."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.authorities import AuthorityInput


def test_nothing_is_revoked_unless_said() -> None:
    """Equal authorities are one input; a list of revoked certificates is optional."""
    assert AuthorityInput("a", b"x") == AuthorityInput("a", b"x", b"")
