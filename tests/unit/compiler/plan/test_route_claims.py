"""Names that stand for claims."""

from __future__ import annotations

import pytest

from meshctl_operator.compiler.plan.route_claims import claim_path, is_claim


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("@request.auth.claims.a", ("a",)),
        ("@Request.Auth.Claims.a.b", ("a", "b")),
        ("@request.auth.claims[a.b][c]", ("a.b", "c")),
        ("@request.auth.claims", None),
        ("@request.auth.claims.", None),
        ("@request.auth.claims[a].b", None),
        ("@request.auth.claimsa", None),
    ],
)
def test_paths(name: str, path: tuple[str, ...] | None) -> None:
    """Keys follow the prefix by dots or in brackets, not by both."""
    assert is_claim(name)
    assert claim_path(name) == path


def test_other_names() -> None:
    """A header is no claim."""
    assert not is_claim("x-request.auth.claims")
