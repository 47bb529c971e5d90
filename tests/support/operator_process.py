"""``meshctl serve --kubernetes`` as a process, and its webhook as an API server reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from meshctl_operator.kube.admission.installation import FailurePolicy, webhook_configuration
from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION
from tests.support.api_server import ApiServer, ApiServerError, object_path
from tests.support.documents import document
from tests.support.meshes import RawObject

NAMESPACE: Final = "istio-system"
SERVICE: Final = "meshctl"
CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
TRUSTED_TIMEOUT: Final = 60.0
STATUS_TIMEOUT: Final = 20.0
STATUS_POLL: Final = 0.02


@contextmanager
def serving(
    server: ApiServer,
    *arguments: str,
    context: str = "tests",
    kubeconfig: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Run ``serve`` on free ports for the length of a block."""
    command = [sys.executable, "-m", "meshctl_operator.cli.main", "serve", "--kubernetes", "--context", context, "-o", "json"]
    command += ["--xds", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments]
    variables = {**os.environ, "KUBECONFIG": str(kubeconfig or server.kubeconfig()), **(environment or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()  # so that it gives its Lease back, and the next test does not wait for that
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate(timeout=10)


def next_event(process: subprocess.Popen[str], name: str = "") -> Any:
    """Return the next event (of a name); the time-out of the test ends a wait in vain."""
    assert process.stdout is not None
    while line := process.stdout.readline():
        event = json.loads(line)
        if not name or event["event"] == name:
            return event
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())


def install_webhook(server: ApiServer, address: str, *, failure_policy: FailurePolicy = "Fail") -> None:
    """Let the API server ask the webhook at an address of this machine, by a Service as in a cluster; returns when it is trusted.

    No kubelet and no proxy of Services is there, so the Service is another name for this machine.
    """
    host, _, port = address.rpartition(":")
    meta = {"name": SERVICE, "namespace": NAMESPACE}
    server.namespace(NAMESPACE)
    server.apply({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"type": "ExternalName", "externalName": host}})
    server.apply(webhook_configuration(NAMESPACE, service=SERVICE, port=int(port), failure_policy=failure_policy))
    deadline = time.monotonic() + TRUSTED_TIMEOUT
    while not asks_webhook(server):
        assert time.monotonic() < deadline, "the API server does not trust the webhook"
        time.sleep(0.1)


def asks_webhook(server: ApiServer) -> bool:
    """Tell whether the API server asks the webhook: what no schema refuses is refused in its words."""
    broken = document("Gateway", {"servers": []}, name="broken", namespace="default")
    path = "/apis/networking.istio.io/v1/namespaces/default/gateways?dryRun=All"
    try:
        server.request("POST", path, broken)
    except ApiServerError as error:
        return "denied the request" in str(error)
    return False


def uninstall_webhook(server: ApiServer) -> None:
    """Let the API server ask nobody."""
    with suppress(ApiServerError):  # it was not installed
        server.request("DELETE", f"{CONFIGURATIONS}/{WEBHOOK_CONFIGURATION}")


def conditions(server: ApiServer, given: RawObject) -> dict[str, dict[str, Any]]:
    """Return the conditions of an object by type, of its present generation alone."""
    found = server.request("GET", object_path(given))
    listed = (found.get("status") or {}).get("conditions") or []
    return {entry["type"]: entry for entry in listed if entry.get("observedGeneration") == found["metadata"]["generation"]}


def wait_for_condition(server: ApiServer, given: RawObject, of: str, reason: str, *, timeout: float = STATUS_TIMEOUT) -> dict[str, Any]:
    """Return a condition of the present generation as soon as it has a reason."""
    deadline = time.monotonic() + timeout
    while True:
        found = conditions(server, given)
        if of in found and found[of]["reason"] == reason:
            return found[of]
        assert time.monotonic() < deadline, f"{of} never became {reason}: {found}"
        time.sleep(STATUS_POLL)
