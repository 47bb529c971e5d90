"""Metadata that nothing is compiled from is no change."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.kube.trimming import trimmed


def raw(**annotations: str) -> dict[str, Any]:
    """Return an object with annotations and a label."""
    return {
        "metadata": {"name": "a", "labels": {"team": "x"}, "annotations": {name.replace("__", "/"): v for name, v in annotations.items()}}
    }


def test_only_istios_annotations_are_kept() -> None:
    """Of its API groups too; the revision was looked at before."""
    given = raw(**{"networking.istio.io/exportTo": ".", "istio.io/rev": "x", "kubectl.kubernetes.io/last": "{}", "evil-istio.io/x": "y"})
    given["metadata"]["annotations"]["istio.io/connect-strategy"] = "z"
    found = trimmed(given, Kind.SERVICE, routing=False)["metadata"]["annotations"]
    assert found == {"networking.istio.io/exportTo": ".", "istio.io/connect-strategy": "z"}
    assert "istio.io/rev" in given["metadata"]["annotations"], "the document itself stays as it is"


def test_labels_of_routing_objects_are_dropped_unless_they_select() -> None:
    """Labels of Kubernetes' kinds are kept."""
    assert "labels" not in trimmed(raw(), Kind.VIRTUAL_SERVICE, routing=True)["metadata"]
    assert trimmed(raw(), Kind.WORKLOAD_ENTRY, routing=True)["metadata"]["labels"] == {"team": "x"}
    assert trimmed(raw(), Kind.POD, routing=False)["metadata"]["labels"] == {"team": "x"}
    assert "annotations" not in trimmed({"metadata": {"name": "a"}}, Kind.POD, routing=False)["metadata"]
