"""Certificates of the webhook: an authority of its own that signs one certificate and is thrown away, so no authority's key is kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VALIDITY: Final = dt.timedelta(days=90)
_BACKDATED: Final = dt.timedelta(hours=1)  # clocks of API servers may be slow
_RENEW_AFTER: Final = 2 / 3  # of the validity


@dataclass(frozen=True, slots=True)
class Material:
    """What is served with and trusted, as PEM: authorities (the newest first), certificate, key."""

    authorities: str
    certificate: str
    key: str = field(repr=False)


def service_names(service: str, namespace: str) -> tuple[str, ...]:
    """Return the names by which API servers call a webhook's Service."""
    return (f"{service}.{namespace}.svc", f"{service}.{namespace}", f"{service}.{namespace}.svc.cluster.local")


def new_material(names: Iterable[str], now: float, before: Material | None = None, *, validity: dt.timedelta = VALIDITY) -> Material:
    """Return a new certificate for the names, with its authority; authorities of before that are still valid are kept behind it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    hosts = list(dict.fromkeys(names))
    moment = dt.datetime.fromtimestamp(now, tz=dt.UTC)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name(f"{hosts[0]} authority")
    authority = (
        _builder(issuer, issuer, authority_key, moment, validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        _builder(_name(hosts[0]), issuer, key, moment, validity)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    kept = [old for old in _read(before.authorities if before else "") if old.not_valid_after_utc > moment][:1]
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Material(_pem([authority, *kept]), _pem([certificate]), private.decode())


def needs_renewal(material: Material, names: Iterable[str], now: float) -> bool:
    """Tell whether a certificate is near its end, was not made for these names, or cannot be read."""
    from cryptography import x509

    found = _read(material.certificate)
    authorities = _read(material.authorities)
    if not found or not authorities or not _fits(material):
        return True
    certificate = found[0]
    begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return True
    covered = set(alternatives.get_values_for_type(x509.DNSName))
    return now >= begin + (end - begin) * _RENEW_AFTER or not set(names) <= covered


def _fits(material: Material) -> bool:
    """Tell whether the key belongs to the certificate."""
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(material.key.encode(), None)
    except (ValueError, TypeError):
        return False
    return bool(key.public_key() == _read(material.certificate)[0].public_key())


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: dt.datetime, validity: dt.timedelta
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + validity)
    )


def _read(pem: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return []


def _pem(certificates: Iterable[x509.Certificate]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)
