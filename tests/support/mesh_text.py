"""A mesh out of YAML text, for tests of tracked functions: ``mesh(text)`` gives an engine that evaluates them."""

from __future__ import annotations

from typing import Any

import yaml
from google.protobuf import json_format

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_config import MESH_KEY, MeshConfig
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.registry.registry import Registry


class TextMesh(Engine):
    """An engine over objects given as YAML; later texts add to or replace what is there."""

    def __init__(
        self,
        text: str,
        *,
        switches: tuple[tuple[str, str], ...] = (),
        assumes_secrets: bool = False,
        certificates: bool = False,
        **mesh_config: Any,
    ) -> None:
        self._registry = Registry()
        super().__init__(self._registry.snapshot)
        settings = MeshSettings(
            MeshConfig.model_validate(mesh_config), switches=switches, assumes_secrets=assumes_secrets, workload_certificates=certificates
        )
        mesh = ConfigObject[Any](key=MESH_KEY, api_version="v1", meta=ObjectMeta(name="mesh"), spec=settings)
        self._apply(Upsert(mesh), *_changes(text))

    def add(self, text: str) -> None:
        """Add or replace objects."""
        self._apply(*_changes(text))

    def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete one object."""
        self._apply(Delete(ObjectKey(kind, namespace, name)))

    def _apply(self, *changes: Upsert | Delete) -> None:
        applied = self._registry.apply(ChangeSet(changes, "test"))
        self.advance(applied.snapshot, applied.touched)


def as_json(message: Any) -> dict[str, Any]:
    """Return a message in protobuf JSON with the original field names."""
    shown: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return shown


def _changes(text: str) -> list[Upsert]:
    """Decode without rules, so that a compiler meets what admission would refuse."""
    found: list[Upsert] = []
    for raw in yaml.safe_load_all(text):
        if raw is None:
            continue
        decoded = decode(raw, validate=False)
        assert isinstance(decoded, Upsert), f"the test's object does not decode: {decoded}"
        found.append(decoded)
    return found
