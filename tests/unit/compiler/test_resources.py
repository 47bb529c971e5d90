"""A compiled resource never shows its body."""

from __future__ import annotations

from meshctl_operator.compiler.resources import CompiledResource


def test_repr_has_no_body() -> None:
    """Logs may hold a resource; what is in a secret stays out of them."""
    shown = repr(CompiledResource("type.googleapis.com/a.b.Secret", "kubernetes://x", b"PRIVATE", ()))
    assert shown == "CompiledResource(Secret 'kubernetes://x', 7 bytes)"
