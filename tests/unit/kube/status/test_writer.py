"""How a status gets into an API server."""

from __future__ import annotations

from typing import Any, cast

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.kube.connection import ApiFailure, Connection
from meshctl_operator.kube.status.desk import stored_from
from meshctl_operator.kube.status.writer import Outcome, StatusWriter
from meshctl_operator.status.conditions import Condition, ConditionStatus, ConditionType, stored_conditions
from tests.support.fake_api import FakeApi

KEY = ObjectKey("VirtualService", "default", "a")
PATH = "/apis/networking.istio.io/v1/namespaces/default/virtualservices/a"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/virtualservices.{KINDS[Kind.VIRTUAL_SERVICE].group}"
WANTED = (Condition(ConditionType.ACCEPTED, ConditionStatus.TRUE, "Accepted", "valid", 1),)
FOREIGN = {"type": "Healthy", "status": "True"}


def crd(list_type: str) -> dict[str, Any]:
    """Return a CRD that keeps conditions in a way."""
    conditions = {"type": "array", "x-kubernetes-list-type": list_type}
    schema = {"openAPIV3Schema": {"properties": {"status": {"properties": {"conditions": conditions}}}}}
    return {"metadata": {"name": "x"}, "spec": {"versions": [{"name": "v1", "schema": schema}]}}


def api(list_type: str | None) -> FakeApi:
    """Return a server with an object that has somebody else's condition."""
    document = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "a", "namespace": "default", "uid": "u"},
        "status": {"conditions": [FOREIGN]},
    }
    return FakeApi({PATH: document, **({CRD: crd(list_type)} if list_type else {})})


def write(server: FakeApi, writer: StatusWriter | None = None) -> Outcome:
    """Write to an object as it was at the start."""
    stored = stored_from(KEY, {**server.documents[PATH], "metadata": {**server.documents[PATH]["metadata"], "resourceVersion": "1"}})
    outcome, found = (writer or StatusWriter(cast("Connection", server))).write(KEY, stored, WANTED)
    assert (found is not None) is (outcome in {Outcome.WRITTEN, Outcome.CONFLICT})
    return outcome


@pytest.mark.parametrize("list_type", ["map", "atomic", None])
def test_our_conditions_are_written_and_those_of_others_stay(list_type: str | None) -> None:
    """On both kinds of CRD, and where the CRD may not be read."""
    server = api(list_type)
    assert write(server) is Outcome.WRITTEN
    status = server.documents[PATH]["status"]
    assert FOREIGN in status["conditions"]
    assert [condition.reason for condition in stored_conditions(status)] == ["Accepted"]


def test_somebody_who_wrote_meanwhile_is_not_overwritten() -> None:
    """The object is read again instead."""
    server = api("atomic")
    server.send("PUT", PATH, b'{"metadata": {"name": "a", "uid": "u"}, "status": {"conditions": []}}')
    assert write(server) is Outcome.CONFLICT
    assert "Accepted" not in str(server.documents[PATH])


def test_what_is_said_already_is_not_said_again() -> None:
    """No request at all."""
    server = api("map")
    writer = StatusWriter(cast("Connection", server))
    assert write(server, writer) is Outcome.WRITTEN
    count = len(server.requests)
    assert write(server, writer) is Outcome.WRITTEN
    assert len(server.requests) == count


def test_an_object_that_is_gone_is_no_failure() -> None:
    """Everything else is, and is tried again."""
    server = api("map")
    stored = stored_from(KEY, server.documents.pop(PATH))
    writer = StatusWriter(cast("Connection", server))
    assert writer.write(KEY, stored, WANTED) == (Outcome.GONE, None)
    server.fail = ApiFailure("trouble", 503)
    assert writer.write(KEY, stored, WANTED) == (Outcome.FAILED, None)
    assert writer.write(KEY, stored, WANTED) == (Outcome.FAILED, None)  # it asks anew how the kind keeps conditions
