"""The envelope of every config object: metadata, key, and the generic ``ConfigObject``."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey

SpecT = TypeVar("SpecT")


class Frozen(BaseModel):
    """Base of every model here: immutable, camelCase outside and snake_case inside, both accepted when built in Python."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, arbitrary_types_allowed=True, defer_build=True)


class StrictModel(Frozen):
    """Base of the routing kinds: an unknown field is an error (a typo must not change what matches)."""

    model_config = ConfigDict(extra="forbid")


class OneOfModel(StrictModel):
    """A message with groups of fields of which at most one may be set (protobuf ``oneof``)."""

    one_ofs: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        fields = type(self).model_fields
        for group in self.one_ofs:
            found = [name for name in group if getattr(self, name) is not None]
            if len(found) > 1:
                shown = " and ".join(fields[name].alias or name for name in found)
                msg = f"sets {shown}, but at most one of them may be set"
                raise ValueError(msg)
        return self


class LenientModel(Frozen):
    """Base of Kubernetes views: what we do not use is ignored."""

    model_config = ConfigDict(extra="ignore")


class ObjectMeta(LenientModel):
    """The part of Kubernetes ``ObjectMeta`` that we use."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: datetime | None = None
    generation: int = 0
    resource_version: str = ""
    uid: str = ""


class StatusAddress(LenientModel):
    """An address that a controller gave to a host (``status.addresses[]`` of ServiceEntry)."""

    value: str = ""
    host: str = ""


class StatusCondition(LenientModel):
    """One condition, without its times: only the outcome may matter to config."""

    type: str = ""
    status: str = ""


class ObjectStatus(LenientModel):
    """The part of ``status`` that is an input: addresses of a ServiceEntry, health of a WorkloadEntry."""

    addresses: tuple[StatusAddress, ...] = ()
    conditions: tuple[StatusCondition, ...] = ()


class ConfigObject(Frozen, Generic[SpecT]):
    """One decoded object. ``key.kind`` is a value of ``Kind``; ``spec`` is the whole view for kinds without a spec (Endpoints, Secret).

    ``status`` is read for ServiceEntry and WorkloadEntry alone, so that a status that we write ourselves changes no object.
    """

    key: ObjectKey
    api_version: str
    meta: ObjectMeta
    spec: SpecT
    status: ObjectStatus | None = None

    @property
    def kind(self) -> Kind:
        """The kind as a closed choice."""
        return Kind(self.key.kind)


def oldest_first(obj: ConfigObject[Any]) -> tuple[float, str, str]:
    """Sort key of Istio wherever objects compete: creation time, then name, then namespace. Unknown creation times count as oldest."""
    created = obj.meta.creation_timestamp
    return (created.timestamp() if created else 0.0, obj.key.name, obj.key.namespace)
