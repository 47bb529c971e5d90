"""What is held of the API server's objects, on the loop: raw documents in, changes out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.apis.codes import UNKNOWN_FIELD
from meshctl_operator.apis.decode import Skipped, decode
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.bridge import Raw
from meshctl_operator.kube.revisions import is_ours
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.trimming import trimmed
from meshctl_operator.sources.mesh_config import decode_mesh_text

MESH_CONFIG_FIELD: Final = "mesh"
"""The key in the ConfigMap of the mesh whose value is a MeshConfig."""


class Holdings:
    """The last state of each object that was told. What would change nothing is not told again."""

    def __init__(self, settings: KubeSettings, mesh: MeshSettings) -> None:
        """Start empty; ``mesh`` is what a MeshConfig from the cluster is put into."""
        self._settings = settings
        self._mesh = mesh
        self._held: dict[ObjectKey, Upsert] = {}
        self._rejected: dict[ObjectKey, Rejected] = {}

    def take(self, key: ObjectKey, raw: Raw | None) -> Iterator[Change]:
        """Yield the change that a document makes, if it makes one. None: the object is gone."""
        kind = Kind(key.kind)
        routing = KINDS[kind].is_routing
        if raw is not None and routing and not is_ours(raw["metadata"], self._settings):
            raw = None
        if kind is Kind.CONFIG_MAP:
            yield from self._mesh_config(raw)
        elif raw is None:
            yield from self._gone(key)
        else:
            yield from self._told(key, _decoded(trimmed(raw, kind, routing=routing), routing=routing))

    def _mesh_config(self, raw: Raw | None) -> Iterator[Change]:
        text = ((raw or {}).get("data") or {}).get(MESH_CONFIG_FIELD)
        if text is None:
            yield from self._gone(MESH_KEY)
        else:
            place = f"ConfigMap {self._settings.system_namespace}/{self._settings.mesh_config_map}"
            yield from self._told(MESH_KEY, decode_mesh_text(text, place, self._mesh))

    def _gone(self, key: ObjectKey) -> Iterator[Change]:
        held, rejected = self._held.pop(key, None), self._rejected.pop(key, None)
        if held is not None or rejected is not None:
            yield Delete(key)

    def _told(self, key: ObjectKey, change: Upsert | Rejected | None) -> Iterator[Change]:
        match change:
            case Upsert():
                held = self._held.get(key)
                if key in self._rejected or held is None or not _is_same(held, change):
                    self._rejected.pop(key, None)
                    self._held[key] = change
                    yield change
            case Rejected():
                before = self._rejected.get(key)
                self._rejected[key] = change
                if before is None or before.diagnostics != change.diagnostics:
                    yield change
            case None:
                yield from self._gone(key)


def _decoded(raw: dict[str, Any], *, routing: bool) -> Upsert | Rejected | None:
    """Decode a document. A field that a stored object has and we do not know is a warning, never the loss of the object."""
    decoded = decode(raw)
    if isinstance(decoded, Rejected) and routing:
        errors = [finding for finding in decoded.diagnostics if finding.severity is Severity.ERROR]
        if all(finding.code == UNKNOWN_FIELD.code for finding in errors):
            decoded = decode(raw, validate=False)
    return None if isinstance(decoded, Skipped) else decoded


def _is_same(old: Upsert, new: Upsert) -> bool:
    """Tell whether two states of an object compile to the same and have the same findings."""
    one, other = old.object, new.object
    return (
        one.spec == other.spec
        and one.status == other.status
        and one.api_version == other.api_version
        and one.meta.uid == other.meta.uid
        and one.meta.labels == other.meta.labels
        and one.meta.annotations == other.meta.annotations
        and one.meta.creation_timestamp == other.meta.creation_timestamp
        and old.diagnostics == new.diagnostics
    )
