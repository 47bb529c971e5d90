"""The table of kinds."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind, find, is_not_enforced, is_refused


@pytest.mark.parametrize(
    ("api_version", "kind", "found"),
    [
        ("networking.istio.io/v1", "Gateway", Kind.GATEWAY),
        ("networking.istio.io/v1alpha3", "Sidecar", Kind.SIDECAR),
        ("gateway.networking.k8s.io/v1", "Gateway", None),
        ("v1", "Service", Kind.SERVICE),
        ("apps/v1", "Deployment", Kind.DEPLOYMENT),
        ("apps/v1beta1", "Deployment", None),
        ("v1", "MeshConfig", None),
        ("v1", "Nothing", None),
    ],
)
def test_find(api_version: str, kind: str, found: Kind | None) -> None:
    """A kind is known by group, version and name together."""
    info = find(api_version, kind)
    assert (info.kind if info else None) is found


def test_which_kinds_are_not_enforced() -> None:
    """Kinds that istiod acts on and we do not are known by group, whatever the version."""
    assert is_not_enforced("telemetry.istio.io/v1", "Telemetry")
    assert not is_not_enforced("security.istio.io/v1beta1", "AuthorizationPolicy")
    assert is_refused("networking.istio.io/v1alpha3", "EnvoyFilter")
    assert not is_refused("networking.istio.io/v1", "Sidecar")
    assert is_not_enforced("gateway.networking.k8s.io/v1", "Gateway")
    assert not is_not_enforced("networking.istio.io/v1", "Gateway")
    assert not is_not_enforced("v1", "Service")


def test_routing_kinds() -> None:
    """Seven kinds are Istio's routing kinds; nodes and namespaces belong to no namespace."""
    assert sum(info.is_routing for info in KINDS.values()) == 7
    assert [kind for kind, info in KINDS.items() if not info.namespaced] == [Kind.NODE, Kind.NAMESPACE]
