"""Raw documents in, changes out, and nothing that changes nothing."""

from __future__ import annotations

from typing import Any

from meshctl_operator.apis.changes import Change, Delete, Rejected, Upsert
from meshctl_operator.apis.mesh_config import MESH_KEY
from meshctl_operator.apis.mesh_settings import MeshSettings
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.holdings import Holdings
from meshctl_operator.kube.settings import KubeSettings
from tests.support.meshes import service, virtual_service

RULE = ObjectKey("VirtualService", "default", "a")
CONFIG = ObjectKey("ConfigMap", "istio-system", "istio")


def holdings() -> Holdings:
    """Return empty holdings."""
    return Holdings(KubeSettings(), MeshSettings())


def told(held: Holdings, key: ObjectKey, raw: dict[str, Any] | None) -> Change | None:
    """Return the change that a document makes."""
    changes = list(held.take(key, raw))
    assert len(changes) <= 1
    return changes[0] if changes else None


def test_status_and_metadata_change_nothing() -> None:
    """Of a routing object; a label of a Service may select."""
    held = holdings()
    assert isinstance(told(held, RULE, virtual_service("a", "b")), Upsert)
    again = virtual_service("a", "b") | {"status": {"conditions": [{"type": "Accepted", "status": "True"}]}}
    again["metadata"] |= {"resourceVersion": "9", "generation": 2, "labels": {"a": "b"}, "annotations": {"example.com/x": "y"}}
    assert told(held, RULE, again) is None
    assert isinstance(told(held, RULE, virtual_service("a", "c")), Upsert)
    key, labelled = ObjectKey("Service", "default", "a"), service("a")
    assert isinstance(told(held, key, service("a")), Upsert)
    labelled["metadata"]["labels"] = {"a": "b"}
    assert isinstance(told(held, key, labelled), Upsert)


def test_what_was_never_held_is_not_deleted() -> None:
    """Nor is anything twice."""
    held = holdings()
    assert told(held, RULE, None) is None
    told(held, RULE, virtual_service("a", "b"))
    assert told(held, RULE, None) == Delete(RULE)
    assert told(held, RULE, None) is None


def test_an_object_that_leaves_our_revision_is_gone() -> None:
    """And comes back with it."""
    held, other = holdings(), virtual_service("a", "b")
    told(held, RULE, virtual_service("a", "b"))
    other["metadata"]["labels"] = {"istio.io/rev": "canary"}
    assert told(held, RULE, other) == Delete(RULE)
    assert isinstance(told(held, RULE, virtual_service("a", "b")), Upsert)


def test_a_mended_object_is_told_even_if_it_is_as_before() -> None:
    """Or its finding would stay."""
    held, broken = holdings(), virtual_service("a", "b")
    broken["spec"]["http"] = "soon"
    told(held, RULE, virtual_service("a", "b"))
    assert isinstance(told(held, RULE, broken), Rejected)
    assert told(held, RULE, broken) is None
    assert isinstance(told(held, RULE, virtual_service("a", "b")), Upsert)


def test_a_rejected_object_that_is_gone_takes_its_findings_along() -> None:
    """Whether or not it was ever good."""
    held, broken = holdings(), virtual_service("a", "b")
    broken["spec"]["http"] = "soon"
    told(held, RULE, broken)
    assert told(held, RULE, None) == Delete(RULE)


def test_an_unknown_field_is_a_warning() -> None:
    """Only together with a real mistake the object is rejected."""
    held, odd = holdings(), virtual_service("a", "b")
    odd["spec"]["colour"] = "blue"
    change = told(held, RULE, odd)
    assert isinstance(change, Upsert)
    assert [finding.severity.value for finding in change.diagnostics] == ["warning"]
    odd["spec"]["http"] = "soon"
    assert isinstance(told(held, RULE, odd), Rejected)


def test_the_mesh_config_is_the_text_in_its_config_map() -> None:
    """Without the field there is none, and a broken one is a finding."""
    held = holdings()
    change = told(held, CONFIG, {"metadata": {"name": "istio"}, "data": {"mesh": "connectTimeout: 3s"}})
    assert isinstance(change, Upsert)
    assert (change.key, str(change.object.spec.config.connect_timeout)) == (MESH_KEY, "3s")
    broken = told(held, CONFIG, {"metadata": {"name": "istio"}, "data": {"mesh": "connectTimeout: soon"}})
    assert isinstance(broken, Rejected)
    assert told(held, CONFIG, {"metadata": {"name": "istio"}}) == Delete(MESH_KEY)
