"""Names that Envoy's TLS library knows."""

from __future__ import annotations

import base64

import pytest

from meshctl_operator.apis.validation.tls_parameters import (
    adds_cipher_suites,
    certificate_pin_problem,
    is_cipher_suite,
    key_pin_problem,
)

DIGEST = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("AES128-SHA", True),
        ("ALL", True),
        ("[AES128-SHA|AES256-SHA]", True),
        ("[AES128-SHA|RC4]", False),
        ("-AES128-SHA", True),
        ("!RC4", False),
        ("RC4-SHA", False),
        ("", False),
    ],
)
def test_cipher_suites(text: str, *, known: bool) -> None:
    """Suites, groups of suites and exclusions are taken by their names."""
    assert is_cipher_suite(text) is known


def test_exclusions_offer_nothing() -> None:
    """An exclusion takes away."""
    assert [adds_cipher_suites(text) for text in ("ALL", "[AES128-SHA|AES256-SHA]", "-AES128-SHA", "!AES128-SHA")] == [
        True,
        True,
        False,
        False,
    ]


def test_pins() -> None:
    """Pins are SHA-256 digests: of keys in base64, of certificates in hex."""
    assert key_pin_problem(base64.b64encode(DIGEST).decode()) is None
    assert key_pin_problem("abc") == "is not base64"
    assert key_pin_problem(base64.b64encode(b"short").decode()) == "has 5 bytes, a SHA-256 has 32"
    assert certificate_pin_problem(DIGEST.hex()) is None
    assert certificate_pin_problem(DIGEST.hex(":").upper()) is None
    assert certificate_pin_problem("abc") == "is not a SHA-256 in hex"
