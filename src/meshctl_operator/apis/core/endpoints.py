"""The view of ``Endpoints``, the predecessor of EndpointSlice."""

from __future__ import annotations

from typing import ClassVar

from meshctl_operator.apis.core.endpoint_slice import EndpointPort, ObjectReference
from meshctl_operator.apis.core.views import KubernetesView


class EndpointAddress(KubernetesView):
    """One address."""

    ip: str = ""
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None


class EndpointSubset(KubernetesView):
    """Addresses that share ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class EndpointsSpec(KubernetesView):
    """The fields of an Endpoints object."""

    whole_object: ClassVar[bool] = True

    subsets: tuple[EndpointSubset, ...] = ()
