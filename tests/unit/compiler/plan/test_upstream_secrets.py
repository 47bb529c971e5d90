"""Tests of SDS secrets of clusters."""

from __future__ import annotations

import base64

import pytest

from meshctl_operator.compiler.plan.upstream_secrets import is_authority, plan_authority
from meshctl_operator.model.views import SecretView
from tests.support.key_pairs import key_pair
from tests.support.mesh_text import TextMesh

HERE = SecretView("gw")
CERTIFICATE = key_pair()[0].decode()


def secret(name: str, key: str, text: str = CERTIFICATE, namespace: str = "gw") -> str:
    """Return a Secret with one entry."""
    encoded = base64.b64encode(text.encode()).decode()
    return f'---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{{key}: "{encoded}"}}\n'


@pytest.mark.parametrize(
    ("name", "expected"),
    [("kubernetes://a-cacert", True), ("configmap://ns/a-cacert", True), ("kubernetes://a", False), ("default", False)],
)
def test_which_names_are_authorities(name: str, expected: bool) -> None:  # noqa: FBT001  (the expectation)
    """Authorities end in ``-cacert``; a ConfigMap has nothing else."""
    assert is_authority(name) is expected


@pytest.mark.parametrize("text", [secret("a-cacert", "cacert"), secret("a-cacert", "ca.crt"), secret("a", "ca.crt"), secret("a", "cacert")])
def test_where_authorities_stand(text: str) -> None:
    """They have a Secret of their own, or stand beside the certificate."""
    plan = TextMesh(text).evaluate(plan_authority, HERE, "kubernetes://a-cacert")
    assert plan is not None
    assert plan.input.certificates == CERTIFICATE.encode()


@pytest.mark.parametrize("text", ["", secret("a", "ca.crt", namespace="other"), secret("a", "ca.crt", "no PEM"), secret("a", "tls.crt")])
def test_what_is_no_authority(text: str) -> None:
    """What is missing, in another namespace, or no certificate, is not served; one that appears is."""
    mesh = TextMesh(text)
    assert mesh.evaluate(plan_authority, HERE, "kubernetes://a-cacert") is None
    mesh.add(secret("a-cacert", "ca.crt"))
    assert mesh.evaluate(plan_authority, HERE, "kubernetes://a-cacert") is not None


def test_config_map() -> None:
    """A ConfigMap of the proxy's namespace may hold the authorities."""
    text = "".join(f"    {line}\n" for line in CERTIFICATE.splitlines())
    mesh = TextMesh(f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: gw}}\ndata:\n  ca.crt: |\n{text}")
    assert mesh.evaluate(plan_authority, HERE, "configmap://gw/a-cacert") is not None
    assert mesh.evaluate(plan_authority, SecretView("other"), "configmap://gw/a-cacert") is None
