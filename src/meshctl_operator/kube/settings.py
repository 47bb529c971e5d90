"""How to talk to an API server, and which of its objects are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_REVISION: Final = "default"


@dataclass(frozen=True, slots=True)
class Timings:
    """Times in seconds; tests shorten them.

    Attributes:
        page: objects in a page of a list.
        watch_least, watch_most: a watch is ended by the server after a time between these, and goes on from where it was.
        answer: longest wait for a list, or for the head of an answer.
        connect: longest wait for a connection.
        backoff, backoff_most: first and longest pause after a failure; it doubles, with jitter.
        drift: pause between two comparisons of the routing objects with what is held, with jitter.
        drift_soon: pause before a comparison that a reconnect asks for, so that several ask for one.
        inactivity: Kopf takes a watch without an event or a bookmark for this long for dead.
    """

    page: int = 500
    watch_least: int = 240
    watch_most: int = 480
    answer: float = 60.0
    connect: float = 10.0
    backoff: float = 0.5
    backoff_most: float = 30.0
    drift: float = 180.0
    drift_soon: float = 1.0
    inactivity: float = 70.0


@dataclass(frozen=True, slots=True)
class KubeSettings:
    """What a Kubernetes source is started with.

    Attributes:
        context: the context of the kubeconfig; the current one if None.
        kubeconfig: its path; ``KUBECONFIG``, the service account of the pod, or the user's file if None.
        revision: our revision, to be compared with ``istio.io/rev`` of routing objects.
        default_revision: whether routing objects that name no revision are ours too; None: if the revision is ``default``.
        system_namespace: where the ConfigMap of the mesh is.
        mesh_config_map: its name, or None to leave it alone.
    """

    context: str | None = None
    kubeconfig: str | None = None
    revision: str = DEFAULT_REVISION
    default_revision: bool | None = None
    system_namespace: str = "istio-system"
    mesh_config_map: str | None = "istio"
    timings: Timings = Timings()

    @property
    def is_default(self) -> bool:
        """Whether routing objects that name no revision are ours."""
        return self.revision == DEFAULT_REVISION if self.default_revision is None else self.default_revision
