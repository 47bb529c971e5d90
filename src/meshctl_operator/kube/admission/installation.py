"""The ValidatingWebhookConfiguration that an installer applies: without it no API server asks the webhook anything.

The operator does not make it: whether objects may be stored while no webhook answers (``failurePolicy``) is the installer's choice. It
only keeps the ``caBundle`` in it current.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from meshctl_operator.apis.kinds import KINDS, NETWORKING_GROUP
from meshctl_operator.kube.admission.operation import SERVICE
from meshctl_operator.kube.admission.server import PATH
from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION
from meshctl_operator.kube.revisions import REVISION
from meshctl_operator.kube.settings import DEFAULT_REVISION

TIMEOUT: Final = 5
"""Seconds that an API server waits: a thousand times what an answer takes, and little for who types ``kubectl apply``."""

FailurePolicy = Literal["Ignore", "Fail"]


def webhook_configuration(
    namespace: str,
    *,
    name: str = WEBHOOK_CONFIGURATION,
    service: str = SERVICE,
    port: int = 443,
    failure_policy: FailurePolicy = "Ignore",
    revision: str | None = None,
) -> dict[str, Any]:
    """Return the configuration as an API server takes it.

    Args:
        namespace: where the operator and the Service in front of its webhook are.
        name: the name of the configuration, as the operator is told it.
        service: the Service.
        port: the port of that.
        failure_policy: what becomes of objects while no webhook answers.
        revision: ask only about objects of this revision (``istio.io/rev``); None: about all, of which the webhook judges its own.
    """
    hook: dict[str, Any] = {
        "name": f"validation.{service}.{namespace}.svc.cluster.local",
        "clientConfig": {"service": {"name": service, "namespace": namespace, "path": PATH, "port": port}},
        "rules": [
            {
                "apiGroups": [NETWORKING_GROUP],
                "apiVersions": ["*"],
                "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": [info.plural for info in KINDS.values() if info.is_routing],
                "scope": "Namespaced",
            }
        ],
        "admissionReviewVersions": ["v1"],
        "failurePolicy": failure_policy,
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT,
    }
    if revision is not None and revision != DEFAULT_REVISION:
        hook["objectSelector"] = {"matchLabels": {REVISION: revision}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }
