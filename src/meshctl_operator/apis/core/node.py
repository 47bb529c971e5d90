"""The view of ``Node``. Its locality stands in the labels."""

from __future__ import annotations

from pydantic import Field

from meshctl_operator.apis.core.views import KubernetesView


class NodeAddress(KubernetesView):
    """One address of a node."""

    type: str = ""
    address: str = ""


class NodeStatus(KubernetesView):
    """The status of a node."""

    addresses: tuple[NodeAddress, ...] = ()


class NodeSpec(KubernetesView):
    """What we read of a Node beside its metadata."""

    status: NodeStatus = Field(default_factory=NodeStatus)
