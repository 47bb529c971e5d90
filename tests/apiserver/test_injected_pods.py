"""The API server admits every pod that the injector makes: fields that it does not know, or values that it refuses, are mistakes of ours."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from meshctl_operator.injector.workloads import inject_object
from tests.golden.test_injector import CASES, FOLDER, SETTINGS, pod
from tests.support.api_server import ApiServer, ApiServerError
from tests.support.meshes import RawObject

pytestmark = pytest.mark.apiserver

CREATE = "/api/v1/namespaces/shop/pods?dryRun=All&fieldValidation=Strict"
OURS = ("name", "namespace", "labels", "annotations")
"""What of the metadata of a pod is for its author to say."""


@pytest.mark.parametrize("name", CASES)
def test_injected_pods_are_admitted(server: ApiServer, name: str) -> None:
    """Each case of the golden files, as strictly as the API server can look.

    What it makes of the pod, defaults filled in, comes out the same when it is injected again, as webhooks may be asked twice.
    """
    server.namespace("shop")
    case = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    settings = replace(SETTINGS, **case.get("settings", {}))
    seen = _as_given(server.request("POST", CREATE, pod(case)))  # a webhook sees pods with the defaults of the API server
    done: RawObject = inject_object(seen, settings).value
    stored = server.request("POST", CREATE, done)
    assert [container["name"] for container in stored["spec"]["containers"]] == [each["name"] for each in done["spec"]["containers"]]
    assert server.request("POST", CREATE, inject_object(_as_given(stored), settings).value)["spec"] == stored["spec"]


def _as_given(stored: RawObject) -> RawObject:
    return {**stored, "metadata": {key: value for key, value in stored["metadata"].items() if key in OURS}, "status": {}}


def test_mistakes_are_seen(server: ApiServer) -> None:
    """A field that no pod has is refused: the test above can fail."""
    server.namespace("shop")
    raw = pod({})
    raw["spec"]["containers"][0]["prots"] = []
    with pytest.raises(ApiServerError, match="prots"):
        server.request("POST", CREATE, raw)
