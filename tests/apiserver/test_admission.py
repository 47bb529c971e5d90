"""What people hear from kubectl: refusals that name path and fix, and warnings about what else a change would do."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION, WEBHOOK_SECRET
from tests.support.api_server import ApiServer, ApiServerError
from tests.support.meshes import RawObject, istio, service, virtual_service
from tests.support.operator_process import CONFIGURATIONS, NAMESPACE, install_webhook, next_event, serving, uninstall_webhook

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

RULE = istio("DestinationRule", "reviews", {"host": "reviews", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]})
EDGE = istio("Gateway", "edge", {"servers": [{"port": {"number": 80, "protocol": "HTTP", "name": "http"}, "hosts": ["*"]}]})
BOUND = istio(
    "VirtualService", "shop", {"hosts": ["a.com"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]}
)
PINNED = virtual_service("pinned", "reviews", hosts=("reviews",), subset="v1")


@pytest.fixture(scope="module")
def asking(our_server: ApiServer) -> Iterator[ApiServer]:
    """An API server that asks the webhook."""
    our_server.clear()
    our_server.namespace(NAMESPACE)
    with serving(our_server, "--webhook", "127.0.0.1:0") as process:
        install_webhook(our_server, next_event(process)["webhook"])
        next_event(process, "synced")
        our_server.apply(service("reviews"))
        while "Service/default/reviews" not in next_event(process, "config")["changed"]:
            pass
        yield our_server
        uninstall_webhook(our_server)
        our_server.clear()


def said(server: ApiServer, *arguments: str, given: RawObject | None = None) -> list[str]:
    """Run kubectl; returns the warnings that it shows."""
    done = server.kubectl(*arguments, stdin=None if given is None else yaml.safe_dump(given))
    return [line.removeprefix("Warning: ") for line in done.stderr.splitlines() if line.startswith("Warning: ")]


def apply(server: ApiServer, given: RawObject) -> list[str]:
    """Apply as people do; returns the warnings."""
    return said(server, "apply", "-f", "-", given=given)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}, "weight": -1}]}]}, "spec.http[0].route[0].weight"),
        (
            {"hosts": ["a"], "http": [{"timeout": "soon", "route": [{"destination": {"host": "a"}}]}]},
            'The VirtualService "broken" is invalid: spec.http[0].timeout: "soon" is not a duration (write a number with its unit',
        ),
        ({"hosts": ["a"], "http": [{"retires": {}, "route": [{"destination": {"host": "a"}}]}]}, 'unknown field "spec.http[0].retires"'),
    ],
    ids=["rule", "value", "unknown field"],
)
def test_a_broken_object_is_refused(asking: ApiServer, spec: Any, expected: str) -> None:
    """The message names the path and what is wrong there, and nothing is stored."""
    done = asking.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(istio("VirtualService", "broken", spec)), check=False)
    assert done.returncode == 1
    assert expected in done.stderr
    with pytest.raises(ApiServerError):
        asking.kubectl("get", "vs", "broken")


def test_the_message_says_what_to_do(asking: ApiServer) -> None:
    """With the code that ``meshctl docs`` explains."""
    done = asking.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(istio("Gateway", "broken", {"servers": []})), check=False)
    assert "spec.servers: is empty" in done.stderr
    assert "[MC" in done.stderr


def test_what_is_wrong_between_objects_is_a_warning(asking: ApiServer) -> None:
    """A host that no service has, a subset that nobody defines, a gateway that is not there: the object is stored all the same."""
    (warning,) = apply(asking, virtual_service("a", "reviewz", hosts=("reviews",)))
    assert 'spec.http[0].route[0].destination.host "reviewz" matches no service' in warning
    assert 'did you mean "reviews"' in warning
    (warning,) = apply(asking, virtual_service("a", "reviews", hosts=("reviews",), subset="v1"))
    assert 'subset "v1"' in warning
    (warning,) = apply(asking, BOUND)
    assert "edge" in warning
    asking.kubectl("delete", "vs", "--all")


def test_one_apply_of_everything_warns_of_nothing(asking: ApiServer) -> None:
    """Not of what stands a few lines above in the same file: it was admitted a moment ago, whether it has arrived or not."""
    everything = {"apiVersion": "v1", "kind": "List", "items": [RULE, EDGE, BOUND, PINNED]}
    for _ in range(5):
        assert apply(asking, everything) == []
        asking.kubectl("delete", "vs,dr,gw", "--all")


def test_what_is_in_use_is_deleted_with_a_warning(asking: ApiServer) -> None:
    """A Gateway, a DestinationRule and a subset that a VirtualService needs."""
    apply(asking, {"apiVersion": "v1", "kind": "List", "items": [RULE, EDGE, BOUND, PINNED]})
    (warning,) = said(asking, "delete", "gw", "edge")
    assert "VirtualService default/shop" in warning
    without = {**RULE, "spec": {**RULE["spec"], "subsets": [{"name": "v2", "labels": {"version": "v2"}}]}}
    (warning,) = apply(asking, without)
    assert "VirtualService default/pinned" in warning
    assert 'subset "v1"' in warning
    apply(asking, RULE)
    (warning,) = said(asking, "delete", "dr", "reviews")
    assert "VirtualService default/pinned" in warning
    asking.kubectl("delete", "vs", "--all")


def test_objects_of_another_revision_are_not_judged(asking: ApiServer) -> None:
    """Whoever reads them may take what we do not."""
    broken = istio("Gateway", "theirs", {"servers": []})
    broken["metadata"]["labels"] = {"istio.io/rev": "other"}
    assert apply(asking, broken) == []
    asking.kubectl("delete", "gw", "theirs")


def test_the_certificate_is_shared_and_put_right(asking: ApiServer) -> None:
    """Another replica serves with the same Secret, and puts a bundle right that an installer has emptied."""
    path = f"{CONFIGURATIONS}/{WEBHOOK_CONFIGURATION}"
    secret = f"/api/v1/namespaces/{NAMESPACE}/secrets/{WEBHOOK_SECRET}"
    before = asking.request("GET", secret)
    bundle = asking.request("GET", path)["webhooks"][0]["clientConfig"]["caBundle"]
    assert base64.b64decode(bundle) == base64.b64decode(before["data"]["ca.crt"])
    patch = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
    asking.request("PATCH", path, patch, content="application/json-patch+json")
    with serving(asking, "--webhook", "127.0.0.1:0") as process:
        next_event(process, "synced")
        while asking.request("GET", path)["webhooks"][0]["clientConfig"].get("caBundle") != bundle:
            time.sleep(0.05)
    after = asking.request("GET", secret)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
