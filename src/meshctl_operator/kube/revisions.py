"""Which routing objects are ours: those of our revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshctl_operator.kube.settings import DEFAULT_REVISION, KubeSettings

REVISION: Final = "istio.io/rev"


def is_ours(meta: Mapping[str, Any], settings: KubeSettings) -> bool:
    """Tell whether an object is for this control plane: its label (or annotation) names our revision, or nothing and we are the default."""
    named = (meta.get("labels") or {}).get(REVISION) or (meta.get("annotations") or {}).get(REVISION)
    if not named:
        return settings.is_default
    return bool(named == settings.revision or (named == DEFAULT_REVISION and settings.is_default))
