"""Secret inputs."""

from __future__ import annotations

from meshctl_operator.compiler.inputs.secrets import AuthorityInput, KeyPairInput


def test_repr_shows_no_key() -> None:
    """Neither key nor certificate shows where an input is printed."""
    shown = repr((KeyPairInput("kubernetes://bk", b"CERTIFICATE", b"KEY", b"KEY"), AuthorityInput("ca", b"CERTIFICATE", b"CERTIFICATE")))
    assert "kubernetes://bk" in shown
    assert "KEY" not in shown
    assert "CERTIFICATE" not in shown
