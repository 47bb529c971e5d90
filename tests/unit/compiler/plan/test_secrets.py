"""Secrets by SDS name."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.inputs.secrets import SecretInput
from meshctl_operator.compiler.plan.secrets import SecretFault, plan_secret, sds_name, secret_exists, secret_key, secret_problem
from meshctl_operator.model.views import SecretView
from tests.support.key_pairs import KeyType, key_pair, secret_yaml
from tests.support.mesh_text import TextMesh

VIEW = SecretView("istio-system")
NAME = "kubernetes://bk"


def problem(text: str, name: str = NAME) -> tuple[SecretFault, str] | None:
    """Return fault and message of a Secret."""
    found = TextMesh(text).evaluate(secret_problem, VIEW, name)
    return (found.fault, found.message) if found else None


@pytest.mark.parametrize(
    ("credential", "name"),
    [
        ("bk", "kubernetes://bk"),
        ("kubernetes://bk", "kubernetes://bk"),
        ("configmap://bk", None),
        ("kubernetes-gateway://ns/bk", None),
        ("builtin://", None),
        ("sds://bk", None),
    ],
)
def test_sds_name(credential: str, name: str | None) -> None:
    """A credential is a Secret by name; other sources are not served."""
    assert sds_name(credential) == name


def test_secret_key() -> None:
    """A name without a namespace is of the proxy's namespace."""
    assert secret_key(VIEW, NAME) == ObjectKey("Secret", "istio-system", "bk")
    assert secret_key(VIEW, "kubernetes://other/bk") == ObjectKey("Secret", "other", "bk")


def test_usable_secret() -> None:
    """A key pair is served as it is, with the Secret as its provenance."""
    mesh = TextMesh(secret_yaml())
    planned = mesh.evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert planned.input == SecretInput(NAME, *key_pair())
    assert planned.provenance == (ObjectKey("Secret", "istio-system", "bk"),)
    assert mesh.evaluate(secret_exists, VIEW, NAME)


def test_cert_and_key_come_first() -> None:
    """``cert`` and ``key`` win over ``tls.crt`` and ``tls.key``; a pair that is not complete does not count."""
    one, two = key_pair(), key_pair(serial=2)
    both = secret_yaml(cert=one[0], key=one[1], tls__crt=two[0], tls__key=two[1])
    planned = TextMesh(both).evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert planned.input.certificate_chain == one[0]
    half = secret_yaml(cert=one[0], key=b"", tls__crt=two[0], tls__key=two[1])
    planned = TextMesh(half).evaluate(plan_secret, VIEW, NAME)
    assert planned is not None
    assert planned.input.certificate_chain == two[0]


def test_missing_secret() -> None:
    """A Secret that does not exist is named with its namespace."""
    assert problem("") == (SecretFault.MISSING, "istio-system/bk does not exist")
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
