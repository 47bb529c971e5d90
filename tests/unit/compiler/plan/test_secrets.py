"""Secrets by SDS name."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.secrets import AuthorityInput, FileAuthorityInput, FilePairInput, KeyPairInput
from meshctl_operator.compiler.plan.secret_names import SecretRole
from meshctl_operator.compiler.plan.secrets import SecretFault, plan_secret, secret_exists, secret_problem
from meshctl_operator.model.views import SecretView
from tests.support.authorities import authority
from tests.support.key_pairs import KeyType, key_pair, secret_yaml
from tests.support.mesh_text import TextMesh

VIEW = SecretView("istio-system")
NAME = "kubernetes://bk"


def problem(text: str, name: str = NAME) -> tuple[SecretFault, str] | None:
    """Return fault and message of a Secret."""
    found = TextMesh(text).evaluate(secret_problem, VIEW, name)
    return (found.fault, found.message) if found else None


def test_usable_secret() -> None:
    """A key pair is served as it is, with the Secret as its provenance."""
    mesh = TextMesh(secret_yaml())
    planned = mesh.evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert planned.input == KeyPairInput(NAME, *key_pair())
    assert planned.provenance == (ObjectKey("Secret", "istio-system", "bk"),)
    assert mesh.evaluate(secret_exists, VIEW, NAME)


def test_cert_and_key_come_first() -> None:
    """``cert`` and ``key`` win over ``tls.crt`` and ``tls.key``; a pair that is not complete does not count."""
    one, two = key_pair(), key_pair(serial=2)
    both = secret_yaml(cert=one[0], key=one[1], tls__crt=two[0], tls__key=two[1])
    planned = TextMesh(both).evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert isinstance(planned.input, KeyPairInput)
    assert planned.input.certificate_chain == one[0]
    half = secret_yaml(cert=one[0], key=b"", tls__crt=two[0], tls__key=two[1])
    planned = TextMesh(half).evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert isinstance(planned.input, KeyPairInput)
    assert planned.input.certificate_chain == two[0]


def test_missing_secret() -> None:
    """A Secret that does not exist is named with its namespace."""
    assert problem("") == (SecretFault.MISSING, "Secret istio-system/bk does not exist")
    assert TextMesh("").evaluate(plan_secret, VIEW, NAME) is None


def test_foreign_secret() -> None:
    """A Secret of another namespace is refused although it exists."""
    found = problem(secret_yaml(namespace="other"), "kubernetes://other/bk")
    assert found is not None
    assert found[0] is SecretFault.FOREIGN


CERTIFICATE, KEY = key_pair()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"tls__crt": CERTIFICATE}, "has no tls.crt and tls.key or cert and key"),
        ({"tls__crt": b"garbage", "tls__key": KEY}, "certificate that is not PEM"),
        ({"tls__crt": CERTIFICATE, "tls__key": b"garbage"}, "private key that is not PEM"),
        ({"tls__crt": CERTIFICATE, "tls__key": key_pair(serial=3)[1]}, "does not belong to its certificate"),
    ],
)
def test_unusable_secret(data: dict[str, bytes], words: str) -> None:
    """What Envoy would refuse counts as absent, and the reason never quotes a value."""
    text = secret_yaml("bk", "istio-system", **data)
    found = problem(text)
    assert found is not None
    assert found[0] is SecretFault.UNUSABLE
    assert words in found[1]
    assert "garbage" not in found[1]
    assert TextMesh(text).evaluate(plan_secret, VIEW, NAME) is None


@pytest.mark.parametrize(
    ("kind", "accepted"), [("p256", True), ("p384", True), ("rsa2048", True), ("ed25519", True), ("secp256k1", False), ("rsa1024", False)]
)
def test_key_types(kind: KeyType, *, accepted: bool) -> None:
    """Keys are of the types and sizes that Envoy accepts."""
    certificate, key = key_pair(kind)
    assert (problem(secret_yaml(tls__crt=certificate, tls__key=key)) is None) is accepted


def test_a_chain_is_judged_by_its_leaf() -> None:
    """The key belongs to the first certificate of a chain; the others only follow."""
    chain = CERTIFICATE + key_pair(serial=4)[0]
    assert problem(secret_yaml(tls__crt=chain, tls__key=KEY)) is None


def test_rotation_is_seen() -> None:
    """A changed Secret is served changed."""
    mesh = TextMesh(secret_yaml())
    before = mesh.evaluate(plan_secret, VIEW, NAME)
    certificate, key = key_pair(serial=5)
    mesh.add(secret_yaml(tls__crt=certificate, tls__key=key))
    after = mesh.evaluate(plan_secret, VIEW, NAME)
    assert before is not None
    assert after is not None
    assert before.input != after.input


CA = "kubernetes://bk-cacert"


def served_authority(text: str, name: str = CA, role: SecretRole | None = None) -> tuple[AuthorityInput, tuple[ObjectKey, ...]]:
    """Return what is served as an authority, and the objects that it comes from."""
    planned = TextMesh(text).evaluate(plan_secret, VIEW, name, role)
    assert planned is not None
    assert isinstance(planned.input, AuthorityInput)
    return planned.input, planned.provenance


def test_authority_of_its_own_secret() -> None:
    """The authority of a credential is in the Secret ``<name>-cacert``, before anything in the Secret of the credential."""
    one, two = authority().certificate, authority("two").certificate
    text = secret_yaml(ca__crt=one) + secret_yaml("bk-cacert", cacert=two, ca__crt=one)
    assert served_authority(text) == (AuthorityInput(CA, two), (ObjectKey("Secret", "istio-system", "bk-cacert"),))


def test_authority_beside_the_key_pair() -> None:
    """Without that Secret it is in the Secret of the credential, with its list of revoked certificates."""
    ca = authority()
    revoked = ca.revoke(ca.issue("a.example.com")[0])
    found, provenance = served_authority(secret_yaml(ca__crt=ca.certificate, ca__crl=revoked))
    assert found == AuthorityInput(CA, ca.certificate, revoked)
    assert provenance == (ObjectKey("Secret", "istio-system", "bk"),)


def test_authority_by_role() -> None:
    """A name that does not end in ``-cacert`` is an authority where it is asked for as one."""
    text = secret_yaml(ca__crt=authority().certificate)
    assert served_authority(text, NAME, SecretRole.AUTHORITY)[0] == AuthorityInput(NAME, authority().certificate)
    assert problem(text, NAME) is not None


def test_authority_in_a_config_map() -> None:
    """A ConfigMap holds an authority as text; it may be of any namespace, since it is no secret."""
    lines = authority().certificate.decode().replace("\n", "\n    ")
    text = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: roots, namespace: other}}
data:
  ca.crt: |
    {lines}
"""
    found, provenance = served_authority(text, "configmap://other/roots")
    assert found.certificates.strip() == authority().certificate.strip()
    assert provenance == (ObjectKey("ConfigMap", "other", "roots"),)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"tls__crt": CERTIFICATE, "tls__key": KEY}, "has no ca.crt or cacert"),
        ({"ca__crt": b"garbage"}, "certificates of authorities that are not PEM"),
        ({"ca__crt": CERTIFICATE, "ca__crl": b"garbage"}, "list of revoked certificates that is not PEM"),
        (
            {"ca__crt": CERTIFICATE, "ca__crl": b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"},
            "list of revoked certificates that is not PEM",
        ),
    ],
)
def test_unusable_authority(data: dict[str, bytes], words: str) -> None:
    """An authority that Envoy would refuse counts as absent."""
    found = problem(secret_yaml("bk", "istio-system", **data), CA)
    assert found is not None
    assert found[0] is SecretFault.UNUSABLE
    assert words in found[1]


def test_missing_authority() -> None:
    """Both places are named where neither exists."""
    found = problem("", CA)
    assert found == (SecretFault.MISSING, "Secret istio-system/bk-cacert does not exist, nor does Secret istio-system/bk")


def test_files() -> None:
    """Files are read by the proxy, so nothing is known about them here."""
    mesh = TextMesh("")
    pair, root = mesh.evaluate(plan_secret, VIEW, "file-cert:/a~/b"), mesh.evaluate(plan_secret, VIEW, "file-root:/c")
    assert pair is not None
    assert root is not None
    assert (pair.input, root.input) == (FilePairInput("file-cert:/a~/b", "/a", "/b"), FileAuthorityInput("file-root:/c", "/c"))


@pytest.mark.parametrize("name", ["default", "ROOTCA"])
def test_no_identity(name: str) -> None:
    """Nobody issues certificates to workloads."""
    found = problem("", name)
    assert found is not None
    assert found[0] is SecretFault.NO_IDENTITY


def test_staple() -> None:
    """An answer of OCSP is stapled; one about another certificate, or that is none, is left out, since Envoy would refuse the pair."""
    ca = authority()
    certificate, key = ca.issue("a.example.com")
    other = ca.staple(ca.issue("b.example.com")[0])
    for staple, stapled in ((ca.staple(certificate), True), (other, False), (b"garbage", False)):
        data = {"tls__crt": certificate, "tls__key": key, "tls__ocsp-staple": staple}
        text = secret_yaml("bk", "istio-system", **data)
        planned = TextMesh(text).evaluate(plan_secret, VIEW, NAME)
        assert planned is not None
        assert isinstance(planned.input, KeyPairInput)
        assert planned.input.ocsp_staple == (staple if stapled else b"")
