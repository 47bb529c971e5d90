"""Certificates and keys for tests, made on the spot."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KeyType = Literal["p256", "p384", "secp256k1", "rsa2048", "rsa1024", "ed25519"]


@cache
def key_pair(kind: KeyType = "p256", serial: int = 1) -> tuple[bytes, bytes]:
    """Return a self-signed certificate and its private key as PEM; another serial gives another pair."""
    key = _key(kind)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example.com")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def secret_yaml(name: str = "bk", namespace: str = "istio-system", **data: bytes) -> str:
    """Return a Secret as YAML; ``__`` in a keyword stands for a dot. Without data it holds a key pair as ``tls.crt`` and ``tls.key``."""
    if not data:
        certificate, key = key_pair()
        data = {"tls__crt": certificate, "tls__key": key}
    lines = "\n".join(f"  {field.replace('__', '.')}: {base64.b64encode(value).decode()}" for field, value in data.items())
    return f"""
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: {namespace}}}
data:
{lines}
"""


def _key(kind: KeyType) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    match kind:
        case "p256":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "rsa2048":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)  # noqa: S505  (a key that Envoy must never see)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
