"""What to send to the API server so that a status says what it should: nothing at all where it does already.

On our own CRDs conditions are a map by type, so server-side apply sends ours alone, and those of others stay. On Istio's CRDs the list is
atomic: ours are merged into what was read, and written only if nobody wrote meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from meshctl_operator.status.conditions import Condition, Conditions, ConditionType, find, is_ours, raw_conditions, stored_conditions

FIELD_MANAGER: Final = "meshctl-operator"
"""The owner of our conditions. One name for all replicas: whoever leads goes on with what another wrote."""


class ListStyle(StrEnum):
    """How an API server keeps ``status.conditions`` of a kind."""

    MAP = "map"
    ATOMIC = "atomic"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it was read last."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    resource_version: str = ""
    status: Mapping[str, object] | None = None

    @property
    def conditions(self) -> Conditions:
        """The conditions of ours."""
        return stored_conditions(self.status)


@dataclass(frozen=True, slots=True)
class StatusPatch:
    """A PATCH of the subresource ``status``: its content type, its body, and whether it is server-side apply."""

    content_type: str
    body: Mapping[str, object]

    @property
    def is_apply(self) -> bool:
        """Whether the field manager has to be named, and conflicts forced."""
        return self.content_type == _APPLY

    def encoded(self) -> bytes:
        """Return the body as it is sent; JSON is YAML, so the same for both types."""
        return json.dumps(self.body, separators=(",", ":")).encode()


_APPLY: Final = "application/apply-patch+yaml"
_MERGE: Final = "application/merge-patch+json"


def list_style(crd: Mapping[str, object]) -> ListStyle:
    """Return how an API server with this CustomResourceDefinition keeps the conditions. Versions share what is stored, so any will do."""
    return ListStyle.MAP if "map" in set(_list_types(crd)) else ListStyle.ATOMIC


def _list_types(crd: Mapping[str, object]) -> Iterator[object]:
    spec = crd.get("spec")
    versions = spec.get("versions") if isinstance(spec, Mapping) else None
    for version in versions if isinstance(versions, list) else ():
        place: object = version
        for step in ("schema", "openAPIV3Schema", "properties", "status", "properties", "conditions"):
            place = place.get(step) if isinstance(place, Mapping) else None
        if isinstance(place, Mapping):
            yield place.get("x-kubernetes-list-type")


def is_current(stored: Conditions, wanted: Conditions) -> bool:
    """Tell whether a status says what it should; times do not count."""
    return _timeless(stored) == _timeless(wanted)


def _timeless(conditions: Conditions) -> dict[ConditionType, Condition]:
    return {condition.type: replace(condition, last_transition="") for condition in conditions}


def dated(stored: Conditions, wanted: Conditions, now: str) -> Conditions:
    """Return the wanted conditions with the time of their last transition: what is stored where the status is the same, else now."""
    found = []
    for condition in wanted:
        before = find(stored, condition.type)
        kept = before.last_transition if before is not None and before.status is condition.status else ""
        found.append(replace(condition, last_transition=kept or now))
    return tuple(found)


def status_patch(stored: Stored, wanted: Conditions, style: ListStyle, now: str) -> StatusPatch | None:
    """Return the patch that gives an object the wanted conditions, or None where it has them. ``now`` is a time in RFC 3339."""
    if is_current(stored.conditions, wanted):
        return None
    written = [condition.to_json() for condition in dated(stored.conditions, wanted, now)]
    match style:
        case ListStyle.MAP:
            # the uid keeps the status from a new object of the same name
            metadata = {"name": stored.name, "namespace": stored.namespace} | ({"uid": stored.uid} if stored.uid else {})
            body = {"apiVersion": stored.api_version, "kind": stored.kind, "metadata": metadata, "status": {"conditions": written}}
            return StatusPatch(_APPLY, body)
        case ListStyle.ATOMIC:
            merged = _merged(raw_conditions(stored.status), written)
            body = {"metadata": {"resourceVersion": stored.resource_version}, "status": {"conditions": merged}}
            return StatusPatch(_MERGE, body)


def _merged(stored: tuple[Mapping[str, object], ...], ours: list[dict[str, object]]) -> list[Mapping[str, object]]:
    """Return the whole list: others' entries as they are and where they are, ours in their places, new ones behind."""
    left = {condition["type"]: condition for condition in ours}
    merged: list[Mapping[str, object]] = []
    for entry in stored:
        if not is_ours(entry):
            merged.append(entry)
        elif (now := left.pop(entry["type"], None)) is not None:
            merged.append(now)
    return [*merged, *left.values()]
