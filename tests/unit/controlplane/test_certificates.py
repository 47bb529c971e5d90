"""Throw-away certificates."""

from __future__ import annotations

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from meshctl_operator.controlplane.certificates import throw_away_certificate


class FixedClock:
    """A clock that stands still."""

    def monotonic(self) -> float:
        """Return nothing of interest."""
        return 0.0

    def time(self) -> float:
        """Return the start of 2030."""
        return dt.datetime(2030, 1, 1, tzinfo=dt.UTC).timestamp()


def test_names_addresses_and_validity() -> None:
    """The certificate is valid for the hosts, for a week from now, and its key fits."""
    pair = throw_away_certificate(["shop.example.org", "127.0.0.1"], clock=FixedClock())
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop.example.org"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert certificate.not_valid_before_utc < dt.datetime(2030, 1, 1, tzinfo=dt.UTC) < certificate.not_valid_after_utc
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 7
    assert load_pem_private_key(pair.key.encode(), None).public_key() == certificate.public_key()


def test_it_is_its_own_authority() -> None:
    """A client that trusts the certificate trusts the server that shows it."""
    certificate = x509.load_pem_x509_certificate(throw_away_certificate(["a"]).certificate.encode())
    certificate.verify_directly_issued_by(certificate)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_without_hosts() -> None:
    """A certificate for nobody in particular is for localhost; two are never alike."""
    one, other = throw_away_certificate([]), throw_away_certificate([])
    assert "localhost" in x509.load_pem_x509_certificate(one.certificate.encode()).subject.rfc4514_string()
    assert one.key != other.key
