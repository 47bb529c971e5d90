"""The view of ``Namespace``: labels and annotations are all that we read."""

from __future__ import annotations

from meshctl_operator.apis.core.views import KubernetesView


class NamespaceSpec(KubernetesView):
    """What we read of a Namespace beside its metadata: nothing."""
