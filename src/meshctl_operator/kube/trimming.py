"""What of an object's metadata anything is compiled from: the rest must not look like a change."""

from __future__ import annotations

from typing import Any, Final

from meshctl_operator.apis.kinds import Kind

_READ: Final = "istio.io/"
_UNREAD_ANNOTATIONS: Final = frozenset({"istio.io/rev"})
_LABELS_ARE_INPUT: Final = frozenset({Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY, Kind.WORKLOAD_GROUP})
"""The routing kinds whose labels select something. Of Kubernetes' kinds all labels are kept."""


def trimmed(raw: dict[str, Any], kind: Kind, *, routing: bool) -> dict[str, Any]:
    """Return the document with the annotations (and, for most routing kinds, without the labels) that nothing is compiled from left out."""
    meta = dict(raw["metadata"])
    annotations = meta.pop("annotations", None)
    kept = {name: value for name, value in (annotations or {}).items() if _is_read(name)}
    if kept:
        meta["annotations"] = kept
    if routing and kind not in _LABELS_ARE_INPUT:
        meta.pop("labels", None)
    return {**raw, "metadata": meta}


def _is_read(annotation: str) -> bool:
    """Tell whether the annotation is one of Istio's; of other people's, kubectl's copy of the whole object is the most frequent."""
    prefix = annotation.partition("/")[0] + "/"
    return annotation not in _UNREAD_ANNOTATIONS and (prefix == _READ or prefix.endswith("." + _READ))
