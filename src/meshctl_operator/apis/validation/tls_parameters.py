"""What Envoy's TLS library knows by name: cipher suites, curves, pins of certificates. Admission warns by it, the compiler leaves out."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

CIPHER_SUITES: Final = frozenset(
    {
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "DES-CBC3-SHA",
    }
)
"""The cipher suites that Istio lets through and every supported Envoy knows by name."""

CURVES: Final = frozenset({"X25519", "P-256", "P-384", "P-521", "X25519MLKEM768"})
"""The curves that every supported Envoy knows; any other, or one named twice, makes it refuse the listener."""

_ALL: Final = "ALL"
_SHA256_BYTES: Final = 32
_HASH: Final = re.compile(r"[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}")


def is_cipher_suite(text: str) -> bool:
    """Tell whether Envoy takes the text where it stands in a list: a suite, ``ALL``, a group ``[a|b]``, or ``-a`` and ``!a`` after others."""
    if text.startswith("[") and text.endswith("]"):
        return all(suite in CIPHER_SUITES for suite in text[1:-1].split("|"))
    return text == _ALL or text in CIPHER_SUITES or (text[:1] in {"-", "!"} and text[1:] in CIPHER_SUITES)


def adds_cipher_suites(text: str) -> bool:
    """Tell whether an entry that Envoy takes offers a suite, rather than takes one away."""
    return text[:1] not in {"-", "!"}


def key_pin_problem(pin: str) -> str | None:
    """Return why Envoy would refuse the pin of a public key (base64 of its SHA-256), or None."""
    try:
        digest = base64.b64decode(pin, validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    return None if len(digest) == _SHA256_BYTES else f"has {len(digest)} bytes, a SHA-256 has {_SHA256_BYTES}"


def certificate_pin_problem(pin: str) -> str | None:
    """Return why Envoy would refuse the pin of a certificate (its SHA-256 in hex, with or without colons), or None."""
    return None if _HASH.fullmatch(pin) else "is not a SHA-256 in hex"
