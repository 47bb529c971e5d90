"""What is listed and watched, and where."""

from __future__ import annotations

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.scopes import ROUTING, Scope, churning_scopes, collection_path, key_of, secret_scope
from meshctl_operator.kube.settings import KubeSettings


def test_paths_are_those_of_the_api() -> None:
    """Core kinds, groups, and one namespace."""
    assert Scope(KINDS[Kind.POD]).path == "/api/v1/pods"
    assert Scope(KINDS[Kind.ENDPOINT_SLICE]).path == "/apis/discovery.k8s.io/v1/endpointslices"
    assert secret_scope("edge").path == "/api/v1/namespaces/edge/secrets"
    assert collection_path(KINDS[Kind.GATEWAY], "v1beta1") == "/apis/networking.istio.io/v1beta1/gateways"


def test_the_mesh_config_can_be_left_alone() -> None:
    """Where a file gives it."""
    assert [scope.name for scope in churning_scopes(KubeSettings(mesh_config_map=None))] == [
        "Service",
        "EndpointSlice",
        "Pod",
        "Node",
        "Namespace",
    ]
    (config,) = (scope for scope in churning_scopes(KubeSettings(system_namespace="sys")) if scope.info.kind is Kind.CONFIG_MAP)
    assert (config.name, config.selectors, config.optional) == ("ConfigMap/sys", {"fieldSelector": "metadata.name=istio"}, True)


def test_keys_of_cluster_scoped_objects_have_no_namespace() -> None:
    """And the seven routing kinds are Kopf's."""
    assert key_of(KINDS[Kind.NODE], {"metadata": {"name": "n"}}) == ObjectKey("Node", "", "n")
    assert len(ROUTING) == 7
