"""The view of ``ConfigMap``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from meshctl_operator.apis.core.views import FrozenMap, KubernetesView


class ConfigMapSpec(KubernetesView):
    """The fields of a ConfigMap."""

    whole_object: ClassVar[bool] = True

    data: FrozenMap[str, str] = Field(default_factory=dict)
