"""The mutating webhook as a function."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from meshctl_operator.injector.settings import InjectorSettings
from meshctl_operator.injector.webhook import review, settings_of_path
from tests.support.json_patch import apply_patch

SETTINGS = InjectorSettings()


def pod(**annotations: str) -> Any:
    """Return a pod as the API server sends it."""
    meta = {"generateName": "web-", "annotations": {f"sidecar.istio.io/{key}": value for key, value in annotations.items()}}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": [{"name": "app", "image": "x"}]}}


def asked(raw: Any, namespace: str = "shop") -> Any:
    """Return the answer to a review of a pod."""
    request = {"uid": "u1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": namespace, "object": raw}
    answer = review({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}, SETTINGS)
    assert (answer["apiVersion"], answer["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    json.dumps(answer)
    return answer["response"]


def patched(raw: Any) -> Any:
    """Return a pod with the patch of the answer applied."""
    response = asked(raw)
    copy = json.loads(json.dumps(raw))
    apply_patch(copy, json.loads(base64.b64decode(response["patch"])) if "patch" in response else [])
    return copy


def test_a_pod_gets_its_proxy_by_a_patch() -> None:
    """And a second time there is nothing to patch."""
    response = asked(pod())
    assert (response["uid"], response["allowed"], response["patchType"]) == ("u1", True, "JSONPatch")
    done = patched(pod())
    assert [container["name"] for container in done["spec"]["containers"]] == ["app", "istio-proxy"]
    again = asked(done)
    assert again["allowed"]
    assert "patch" not in again


def test_a_pod_that_opts_out_is_let_pass() -> None:
    """Without a patch."""
    assert asked(pod(inject="false")) == {"uid": "u1", "allowed": True}
    assert asked(pod(), "kube-system") == {"uid": "u1", "allowed": True}


def test_unusable_annotations_are_refused() -> None:
    """With all reasons, in a status that kubectl shows."""
    response = asked(pod(proxyCPU="much", logLevel="loud"))
    assert not response["allowed"]
    assert response["status"]["code"] == 422
    assert "proxyCPU" in response["status"]["message"]
    assert "logLevel" in response["status"]["message"]


def test_warnings_are_passed_on() -> None:
    """The pod is admitted."""
    response = asked(pod(agentLogLevel="debug"))
    assert response["allowed"]
    assert "no effect" in response["warnings"][0]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"kind": "AdmissionReview"},
        {"kind": "AdmissionReview", "request": {"uid": "u", "kind": {"kind": "Service"}, "object": {"spec": {}}}},
        {"kind": "AdmissionReview", "request": {"uid": "u", "kind": {"kind": "Pod"}, "object": {}}},
        {"kind": "Pod", "request": {"uid": "u", "kind": {"kind": "Pod"}, "object": {"spec": {}}}},
    ],
    ids=str,
)
def test_anything_else_is_no_review(body: object) -> None:
    """It is answered, not crashed on."""
    response: Any = review(body, SETTINGS)["response"]
    assert not response["allowed"]
    assert response["status"]["code"] == 400


def test_the_path_says_where_a_request_comes_from() -> None:
    """Cluster and network; a slash in a name is written otherwise."""
    found = settings_of_path("/inject/cluster/east--slash--1/net/net1", SETTINGS)
    assert (found.cluster_id, found.network) == ("east/1", "net1")
    assert settings_of_path("/inject", SETTINGS) == SETTINGS
    assert settings_of_path("/inject/other/x/net", SETTINGS) == SETTINGS
