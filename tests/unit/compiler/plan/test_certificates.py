"""Judging PEM and DER."""

from __future__ import annotations

from meshctl_operator.compiler.plan.certificates import authority_problem, pair_problem, revocation_problem, staple_problem
from tests.support.authorities import authority
from tests.support.key_pairs import key_pair


def test_pairs() -> None:
    """A key belongs to its certificate."""
    (certificate, key), (_, other) = key_pair(), key_pair(serial=2)
    assert pair_problem(certificate, key) is None
    assert "does not belong" in (pair_problem(certificate, other) or "")


def test_authorities() -> None:
    """Authorities are one certificate or several, all of them PEM."""
    one, two = authority().certificate, authority("two").certificate
    assert authority_problem(one + two) is None
    assert authority_problem(b"garbage") == "has certificates of authorities that are not PEM"


def test_revocation() -> None:
    """Lists of revoked certificates are PEM, one or several."""
    one, two = authority().revoke(), authority("two").revoke(authority("two").issue("a")[0])
    assert revocation_problem(one + two) is None
    assert revocation_problem(one + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n") is not None
    assert revocation_problem(b"") is not None


def test_staples() -> None:
    """An answer of OCSP is DER and about the leaf of the chain."""
    ca = authority()
    certificate, _ = ca.issue("a.example.com")
    assert staple_problem(certificate, ca.staple(certificate)) is None
    assert staple_problem(certificate, ca.staple(ca.issue("b.example.com")[0])) == "is about another certificate"
    assert staple_problem(certificate, b"garbage") == "is no response of OCSP in DER"
