"""Tests of SDS secrets with authorities."""

from __future__ import annotations

from meshctl_operator.compiler.emit.authorities import emit_authority
from meshctl_operator.compiler.inputs.authorities import AuthorityInput


def test_authority() -> None:
    """Authorities are inline; a revocation list is there where there is one."""
    plain = emit_authority(AuthorityInput("kubernetes://a-cacert", b"pem"))
    assert (plain.name, plain.validation_context.trusted_ca.inline_bytes) == ("kubernetes://a-cacert", b"pem")
    assert not plain.validation_context.HasField("crl")
    assert emit_authority(AuthorityInput("a", b"pem", b"list")).validation_context.crl.inline_bytes == b"list"
