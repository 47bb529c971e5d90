"""Throw-away certificates: self-signed, made on the spot, never written to disk by us."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from typing import Final

from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.bootstrap.static import KeyPair

_VALIDITY: Final = dt.timedelta(days=7)
_BACKDATED: Final = dt.timedelta(hours=1)  # clocks of clients may be slow


def throw_away_certificate(hosts: Iterable[str], *, clock: Clock | None = None) -> KeyPair:
    """Return a self-signed certificate for the host names and addresses, with its ECDSA P-256 key. It is its own CA, valid for a week."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    names = list(dict.fromkeys(hosts)) or ["localhost"]
    now = dt.datetime.fromtimestamp((clock or SystemClock()).time(), tz=dt.UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternatives: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if is_ip(name) else x509.DNSName(name) for name in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())
