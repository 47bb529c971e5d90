"""The view of ``EndpointSlice``."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from meshctl_operator.apis.core.views import FrozenMap, KubernetesView


class ObjectReference(KubernetesView):
    """The object behind an endpoint, usually a Pod."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class EndpointConditions(KubernetesView):
    """State of an endpoint; None counts as ready (and, for ``serving``, as ``ready``)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(KubernetesView):
    """One endpoint. Kubernetes uses the first address only."""

    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions = Field(default_factory=EndpointConditions)
    hostname: str = ""
    node_name: str = ""
    zone: str = ""
    target_ref: ObjectReference | None = None
    deprecated_topology: FrozenMap[str, str] = Field(default_factory=dict)


class EndpointPort(KubernetesView):
    """One port of all endpoints of the slice."""

    name: str = ""
    port: int | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSliceSpec(KubernetesView):
    """The fields of an EndpointSlice."""

    whole_object: ClassVar[bool] = True

    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()
