"""SDS names."""

from __future__ import annotations

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.secret_names import (
    SecretRole,
    authority_name,
    file_authority_name,
    file_pair_name,
    file_paths,
    is_workload_identity,
    role_of,
    sds_name,
    secret_key,
)
from meshctl_operator.model.views import SecretView

VIEW = SecretView("istio-system")


@pytest.mark.parametrize(
    ("credential", "name", "authority"),
    [
        ("bk", "kubernetes://bk", "kubernetes://bk-cacert"),
        ("kubernetes://bk", "kubernetes://bk", "kubernetes://bk-cacert"),
        ("configmap://ns/bk", "configmap://ns/bk", "configmap://ns/bk-cacert"),
        ("kubernetes-gateway://ns/bk", "kubernetes-gateway://ns/bk", "kubernetes-gateway://ns/bk-cacert"),
        ("builtin://", "default", "ROOTCA"),
        ("sds://bk", "kubernetes://bk", "kubernetes://bk-cacert"),
    ],
)
def test_names_of_credentials(credential: str, name: str, authority: str) -> None:
    """A credential is a Secret by name unless it says otherwise; its authority has the name with ``-cacert``."""
    assert (sds_name(credential), authority_name(credential)) == (name, authority)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("kubernetes://bk", SecretRole.KEY_PAIR),
        ("kubernetes://bk-cacert", SecretRole.AUTHORITY),
        ("configmap://ns/roots", SecretRole.AUTHORITY),
        ("file-cert:/a~/b", SecretRole.KEY_PAIR),
        ("file-root:/a", SecretRole.AUTHORITY),
        ("default", SecretRole.KEY_PAIR),
        ("ROOTCA", SecretRole.AUTHORITY),
    ],
)
def test_roles(name: str, role: SecretRole) -> None:
    """What a name is for follows from its end or its scheme."""
    assert role_of(name) is role


def test_secret_key() -> None:
    """A name without a namespace is of the proxy's namespace; ConfigMaps have a scheme of their own."""
    assert secret_key(VIEW, "kubernetes://bk") == ObjectKey("Secret", "istio-system", "bk")
    assert secret_key(VIEW, "kubernetes://other/bk") == ObjectKey("Secret", "other", "bk")
    assert secret_key(VIEW, "kubernetes-gateway://other/bk") == ObjectKey("Secret", "other", "bk")
    assert secret_key(VIEW, "configmap://other/roots") == ObjectKey("ConfigMap", "other", "roots")


def test_files() -> None:
    """The names of files hold their paths."""
    assert file_paths(file_pair_name("/a", "/b")) == ("/a", "/b")
    assert file_paths(file_authority_name("/c")) == ("/c",)
    assert file_paths("kubernetes://bk") == ()


def test_workload_identity() -> None:
    """Two names stand for what the mesh issues."""
    assert [is_workload_identity(name) for name in ("default", "ROOTCA", "kubernetes://default")] == [True, True, False]
