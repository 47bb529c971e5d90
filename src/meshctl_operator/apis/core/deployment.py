"""The view of ``Deployment``: what ``dev`` and ``translate`` need to stand in for its pods."""

from __future__ import annotations

from pydantic import Field

from meshctl_operator.apis.core.pod import PodSpec
from meshctl_operator.apis.core.views import FrozenMap, KubernetesView


class TemplateMeta(KubernetesView):
    """Metadata of the pods to come."""

    labels: FrozenMap[str, str] = Field(default_factory=dict)
    annotations: FrozenMap[str, str] = Field(default_factory=dict)


class PodTemplate(KubernetesView):
    """The pods to come."""

    metadata: TemplateMeta = Field(default_factory=TemplateMeta)
    spec: PodSpec = Field(default_factory=PodSpec)


class DeploymentSelector(KubernetesView):
    """The pods that belong to a Deployment."""

    match_labels: FrozenMap[str, str] = Field(default_factory=dict)


class DeploymentSpec(KubernetesView):
    """The ``spec`` of a Deployment."""

    replicas: int = 1
    selector: DeploymentSelector = Field(default_factory=DeploymentSelector)
    template: PodTemplate = Field(default_factory=PodTemplate)
