"""Rules on metadata."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ObjectMeta
from meshctl_operator.apis.validation.envelope import check_metadata
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.base.objects import ObjectKey


def found(kind: Kind, **meta: object) -> list[tuple[str, str]]:
    """Return (code, path) of what the rules say about metadata."""
    findings = Findings(ObjectKey(kind, "shop", "a"))
    check_metadata(kind, ObjectMeta.model_validate({"name": "a", "namespace": "shop", **meta}), findings)
    return [(d.code, d.path) for d in findings.items]


@pytest.mark.parametrize("name", ["a", "a.b", "A-b", "a" * 253])
def test_names(name: str) -> None:
    """Names of most kinds may have dots."""
    assert found(Kind.VIRTUAL_SERVICE, name=name) == []


@pytest.mark.parametrize("name", ["a b", "a/b", "-a", "a" * 254])
def test_bad_names(name: str) -> None:
    """Names are DNS names."""
    assert found(Kind.VIRTUAL_SERVICE, name=name) == [("MC1002", "metadata.name")]


def test_names_of_gateways() -> None:
    """The name of a Gateway is one label."""
    assert found(Kind.GATEWAY, name="a.b") == [("MC1002", "metadata.name")]


@pytest.mark.parametrize(
    "name",
    ["istio.io/dry-run", "internal.istio.io/webhook-always-reject", "internal.istio.io/parents", "internal.istio.io/parent-namespace"],
)
def test_reserved_annotations(name: str) -> None:
    """Annotations that Istio's admission refuses are refused."""
    assert found(Kind.GATEWAY, annotations={name: "x", "mine": "y"}) == [("MC1009", f'metadata.annotations["{name}"]')]
