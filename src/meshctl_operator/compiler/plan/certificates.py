"""Judging PEM and DER as Envoy does: what it would refuse is found here, before a proxy sees it. No finding quotes a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes

MIN_RSA_BITS: Final = 2048
"""Envoy refuses shorter RSA keys, and every curve but these."""
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_REVOCATION_LABEL: Final = b"-----BEGIN X509 CRL-----"


def pair_problem(certificate_chain: bytes, private_key: bytes) -> str | None:
    """Return what Envoy would refuse: something that is not PEM, or a key of another certificate. Dates are not judged, as with Istio."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        leaf = x509.load_pem_x509_certificates(certificate_chain)[0]
        certified = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "has a certificate that is not PEM"
    try:
        key = load_pem_private_key(private_key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "has a private key that is not PEM without a pass phrase"
    if not _same_key(certified, key.public_key()):
        return "has a private key that does not belong to its certificate"
    return (
        None
        if _is_accepted(certified)
        else "has a key that Envoy does not accept: RSA of 2048 bits or more, ECDSA P-256, P-384, P-521, Ed25519"
    )


def authority_problem(certificates: bytes) -> str | None:
    """Return what Envoy would refuse of the certificates of authorities, or None."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        for certificate in x509.load_pem_x509_certificates(certificates):
            certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "has certificates of authorities that are not PEM"
    return None


def revocation_problem(revoked: bytes) -> str | None:
    """Return what Envoy would refuse of a list of revoked certificates, or None."""
    from cryptography import x509

    lists = revoked.split(_REVOCATION_LABEL)[1:]
    if not lists:
        return "has a list of revoked certificates that is not PEM"
    try:
        for body in lists:
            x509.load_pem_x509_crl(_REVOCATION_LABEL + body)
    except ValueError:
        return "has a list of revoked certificates that is not PEM"
    return None


def staple_problem(certificate_chain: bytes, staple: bytes) -> str | None:
    """Return why Envoy would refuse a response of OCSP for a certificate, or None. Whether it is still fresh is judged by Envoy."""
    from cryptography import x509
    from cryptography.x509 import ocsp

    try:
        response = ocsp.load_der_ocsp_response(staple)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return "is no successful response of OCSP"
        about = response.serial_number
    except ValueError:
        return "is no response of OCSP in DER"
    leaf = x509.load_pem_x509_certificates(certificate_chain)[0]
    return None if about == leaf.serial_number else "is about another certificate"


def _same_key(one: CertificatePublicKeyTypes, other: PublicKeyTypes) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return one.public_bytes(*form) == other.public_bytes(*form)


def _is_accepted(key: CertificatePublicKeyTypes) -> bool:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return key.key_size >= MIN_RSA_BITS
    if isinstance(key, EllipticCurvePublicKey):
        return key.curve.name in _CURVES
    return isinstance(key, Ed25519PublicKey)
