"""``meshctl serve --kubernetes`` as a process, and its webhook as an API server reaches it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from meshctl_operator.kube.admission.installation import FailurePolicy, webhook_configuration
from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION
from tests.support.api_server import ApiServer, ApiServerError
from tests.support.documents import document

NAMESPACE: Final = "istio-system"
SERVICE: Final = "meshctl"
CONFIGURATIONS: Final = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
TRUSTED_TIMEOUT: Final = 60.0


@contextmanager
def serving(server: ApiServer, *arguments: str, context: str = "tests", kubeconfig: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run ``serve`` on free ports for the length of a block."""
    command = [sys.executable, "-m", "meshctl_operator.cli.main", "serve", "--kubernetes", "--context", context, "-o", "json"]
    command += ["--xds", "127.0.0.1:0", "--http", "127.0.0.1:0", *arguments]
    environment = {**os.environ, "KUBECONFIG": str(kubeconfig or server.kubeconfig())}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
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
    server.request("DELETE", f"{CONFIGURATIONS}/{WEBHOOK_CONFIGURATION}")
