"""What the views of Kubernetes kinds share: the base class, and the reading of fields that may be null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import model_validator

from meshctl_operator.apis.meta import LenientModel

if TYPE_CHECKING:
    FrozenMap = Mapping
else:
    FrozenMap = dict  # pydantic copies a dict four times faster than a Mapping; readers are held to Mapping by the type checker


class KubernetesView(LenientModel):
    """Base of every part of a view. Null means unset, as it does for the API server."""

    whole_object: ClassVar[bool] = False
    """Whether the view reads the whole object; otherwise it reads ``spec``, with ``status`` beside it."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if isinstance(value, Mapping) and None in value.values():
            return {key: item for key, item in value.items() if item is not None}
        return value
