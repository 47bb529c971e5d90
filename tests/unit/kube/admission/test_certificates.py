"""Certificates of the webhook."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from meshctl_operator.kube.admission.certificates import Material, needs_renewal, new_material, service_names

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()
DAY = 86_400.0
NAMES = service_names("meshctl", "mesh")


def certificates(pem: str) -> list[x509.Certificate]:
    """Return the certificates in a PEM text."""
    return x509.load_pem_x509_certificates(pem.encode())


def test_names() -> None:
    """API servers call a webhook by the name of its Service in its namespace."""
    assert NAMES[0] == "meshctl.mesh.svc"


def test_a_certificate_is_signed_by_its_authority() -> None:
    """The authority is named, may sign no other authority, and its key is kept nowhere."""
    material = new_material(NAMES, NOW)
    (authority,), (certificate,) = certificates(material.authorities), certificates(material.certificate)
    certificate.verify_directly_issued_by(authority)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(NAMES)
    assert material.key.count("PRIVATE KEY") == 2
    assert "PRIVATE KEY" not in repr(material)


def test_the_authority_of_before_stays_trusted() -> None:
    """After a renewal both authorities are trusted, after the next one the oldest is not; one that has ended is dropped."""
    first = new_material(NAMES, NOW)
    second = new_material(NAMES, NOW + 60 * DAY, first)
    third = new_material(NAMES, NOW + 70 * DAY, second)
    assert second.authorities.endswith(first.authorities)
    assert third.authorities.endswith(certificates_text(second)[0])
    assert len(certificates(third.authorities)) == 2
    late = new_material(NAMES, NOW + 200 * DAY, first)
    assert len(certificates(late.authorities)) == 1


def certificates_text(material: Material) -> list[str]:
    """Return the authorities as separate texts, the newest first."""
    end = "-----END CERTIFICATE-----\n"
    return [f"{part}{end}" for part in material.authorities.split(end) if part]


@pytest.mark.parametrize(("days", "expected"), [(0, False), (59, False), (61, True), (91, True)])
def test_renewal_by_age(days: int, *, expected: bool) -> None:
    """A certificate is renewed after two thirds of its life."""
    assert needs_renewal(new_material(NAMES, NOW), NAMES, NOW + days * DAY) is expected


def test_renewal_for_other_reasons() -> None:
    """A certificate for other names, without names, with another's key or that is no certificate is renewed."""
    material, other = new_material(NAMES, NOW), new_material(NAMES, NOW)
    assert needs_renewal(material, (*NAMES, "webhook.example.com"), NOW)
    assert needs_renewal(Material(material.authorities, material.certificate, other.key), NAMES, NOW)
    assert needs_renewal(Material(material.authorities, material.authorities, material.key), NAMES, NOW)
    for broken in (
        Material("", material.certificate, material.key),
        Material(material.authorities, "x", material.key),
        Material(material.authorities, material.certificate, "x"),
    ):
        assert needs_renewal(broken, NAMES, NOW)
    assert not needs_renewal(material, NAMES, NOW)
