"""Certificate authorities for tests: issue certificates for servers and clients, revoke them, answer OCSP."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import ocsp

_START, _END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)


class Authority:
    """One authority. Everything that it gives out is PEM, answers of OCSP are DER."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificate = self._certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """Return a new certificate for a DNS name, and its private key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(Encoding.PEM), key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def revoke(self, *certificates: bytes) -> bytes:
        """Return the list of revoked certificates with these on it."""
        revoked = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(_START).next_update(_END)
        for certificate in certificates:
            serial = x509.load_pem_x509_certificate(certificate).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_START).build()
            revoked = revoked.add_revoked_certificate(entry)
        return revoked.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def staple(self, certificate: bytes) -> bytes:
        """Return the answer of OCSP that the certificate is good."""
        answer = ocsp.OCSPResponseBuilder().add_response(
            cert=x509.load_pem_x509_certificate(certificate),
            issuer=self._certificate,
            algorithm=hashes.SHA1(),  # noqa: S303  (what OCSP names certificates by)
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=_START,
            next_update=_END,
            revocation_time=None,
            revocation_reason=None,
        )
        signed = answer.responder_id(ocsp.OCSPResponderEncoding.HASH, self._certificate).sign(self._key, hashes.SHA256())
        return signed.public_bytes(Encoding.DER)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_START)
            .not_valid_after(_END)
        )


@cache
def authority(name: str = "authority") -> Authority:
    """Return the authority of that name, the same one for the whole run."""
    return Authority(name)


def digest_of_certificate(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate in hex."""
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()


def digest_of_key(certificate: bytes) -> bytes:
    """Return the SHA-256 of the public key of a certificate."""
    key = x509.load_pem_x509_certificate(certificate).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()
