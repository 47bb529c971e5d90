"""The webhook beside a control plane: made from settings, told of every snapshot, ended with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.clock import Clock, SystemClock
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.kube.admission.secrets import KubernetesSecret, WebhookConfiguration
from meshctl_operator.kube.admission.webhook import Webhook, WebhookOptions
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.permissions import WEBHOOK_CONFIGURATION, WEBHOOK_SECRET
from meshctl_operator.kube.revisions import is_ours
from meshctl_operator.kube.settings import KubeSettings

SERVICE: Final = "meshctl"
"""Name of the Service by which API servers call the webhook."""

TURN: Final = 0.001
"""Seconds for which another thread may keep the interpreter while the webhook has something to do. An answer takes several turns: with
Python's 5 ms it takes 18 ms in the median while the control plane compiles, 52 ms at the 95th percentile; so it takes 8 and 13 ms."""


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """What the webhook is started with.

    Attributes:
        host, port: where it listens; port 0 picks a free one.
        service: the Service by which API servers call it, in the operator's namespace; the certificate is made for its names.
        configuration: the ValidatingWebhookConfiguration whose ``caBundle`` is kept current; the installer makes it.
        secret: the Secret in which all replicas keep the certificate.
    """

    host: str
    port: int
    service: str = SERVICE
    configuration: str = WEBHOOK_CONFIGURATION
    secret: str = WEBHOOK_SECRET


def webhook_of(cluster: KubeSettings, admission: AdmissionSettings, *, domain: str, clock: Clock | None = None) -> Webhook:
    """Return the webhook for the API server that is read. Raises SettingsError where none can be found out, MeshctlError for a taken port."""
    from kubernetes.client import AdmissionregistrationV1Api, ApiClient, CoreV1Api

    client = ApiClient(Connection.load(cluster).configuration)
    options = WebhookOptions(
        admission.service,
        cluster.system_namespace,
        admission.host,
        admission.port,
        domain,
        lambda metadata: is_ours(metadata, cluster),
    )
    store = KubernetesSecret(CoreV1Api(client), cluster.system_namespace, admission.secret)
    trust = WebhookConfiguration(AdmissionregistrationV1Api(client), admission.configuration)
    return Webhook(options, store, trust, clock or SystemClock())


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads of this process take short turns for the length of a block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN))
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@asynccontextmanager
async def beside(plane: ControlPlane, webhook: Webhook) -> AsyncIterator[None]:
    """Run the webhook for the length of a block, with the objects that the control plane has."""
    plane.follow_objects(webhook.publish)
    with short_turns():
        running = asyncio.create_task(webhook.run(), name="webhook")
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
