"""What is listed and watched: kinds, or the objects of a kind in one namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.apis.kinds import KINDS, Kind, KindInfo
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.settings import KubeSettings

ROUTING: Final = tuple(info for info in KINDS.values() if info.is_routing)
"""The kinds that come by Kopf."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Objects that one thread lists and watches. ``optional``: where they may not be read, there are none."""

    info: KindInfo
    namespace: str | None = None
    field_selector: str = ""
    label_selector: str = ""
    optional: bool = False

    @property
    def name(self) -> str:
        """The name in logs and in the barrier."""
        return f"{self.info.kind}/{self.namespace}" if self.namespace else str(self.info.kind)

    @property
    def path(self) -> str:
        """The path of the collection."""
        return collection_path(self.info, self.info.versions[0], self.namespace)

    @property
    def selectors(self) -> dict[str, str]:
        """The query parameters that narrow the collection."""
        given = {"fieldSelector": self.field_selector, "labelSelector": self.label_selector}
        return {name: value for name, value in given.items() if value}


def collection_path(info: KindInfo, version: str, namespace: str | None = None) -> str:
    """Return the path of all objects of a kind, or of those in one namespace."""
    root = f"/apis/{info.group}/{version}" if info.group else f"/api/{version}"
    return f"{root}/namespaces/{namespace}/{info.plural}" if namespace else f"{root}/{info.plural}"


def key_of(info: KindInfo, raw: Mapping[str, Any]) -> ObjectKey:
    """Return the key of a document of the API server."""
    meta = raw["metadata"]
    return ObjectKey(info.kind, meta.get("namespace", ""), meta["name"])


def churning_scopes(settings: KubeSettings) -> tuple[Scope, ...]:
    """Return what is watched from the start: the kinds that change without anybody editing them, and the ConfigMap of the mesh."""
    scopes = [
        Scope(KINDS[Kind.SERVICE]),
        Scope(KINDS[Kind.ENDPOINT_SLICE], label_selector="kubernetes.io/service-name"),
        Scope(KINDS[Kind.POD], field_selector="status.phase!=Failed"),
        Scope(KINDS[Kind.NODE]),
        Scope(KINDS[Kind.NAMESPACE]),
    ]
    if settings.mesh_config_map is not None:
        named = f"metadata.name={settings.mesh_config_map}"
        scopes.append(Scope(KINDS[Kind.CONFIG_MAP], settings.system_namespace, field_selector=named, optional=True))
    return tuple(scopes)


def secret_scope(namespace: str) -> Scope:
    """Return the Secrets of a namespace, without those that never hold a certificate for a proxy."""
    unused = "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token,type!=kubernetes.io/dockerconfigjson"
    return Scope(KINDS[Kind.SECRET], namespace, field_selector=unused, optional=True)
