"""The view of ``Service``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from meshctl_operator.apis.core.views import FrozenMap, KubernetesView
from meshctl_operator.base.hostname import is_ip

_HEADLESS: Final = "None"


def _virtual_address(text: str) -> str:
    """Files say what they like: an address that is none would become the address of a listener."""
    if text and text != _HEADLESS and not is_ip(text):
        msg = "is no IP address"
        raise ValueError(msg)
    return text


VirtualAddress = Annotated[str, AfterValidator(_virtual_address)]
"""An IP address, ``None`` or nothing."""


class ServicePort(KubernetesView):
    """One port. ``target_port`` is a number or the name of a container port; None means the same as ``port``."""

    name: str = ""
    port: int = 0
    target_port: int | str | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None
    node_port: int = 0


class LoadBalancerIngress(KubernetesView):
    """One address that a load balancer gave to the service."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(KubernetesView):
    """What the load balancer reported."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(KubernetesView):
    """The status of a service."""

    load_balancer: LoadBalancerStatus = Field(default_factory=LoadBalancerStatus)


class ServiceSpec(KubernetesView):
    """The ``spec`` of a Service, with its status."""

    type: str = "ClusterIP"
    cluster_ip: VirtualAddress = Field(default="", alias="clusterIP")
    cluster_ips: tuple[VirtualAddress, ...] = Field(default=(), alias="clusterIPs")
    external_name: str = ""
    external_ips: tuple[str, ...] = Field(default=(), alias="externalIPs")
    ports: tuple[ServicePort, ...] = ()
    selector: FrozenMap[str, str] = Field(default_factory=dict)
    internal_traffic_policy: str = ""
    traffic_distribution: str = ""
    publish_not_ready_addresses: bool = False
    status: ServiceStatus = Field(default_factory=ServiceStatus)

    @property
    def is_headless(self) -> bool:
        """Whether the service has no virtual address, by ``clusterIP: None``."""
        return self.cluster_ip == _HEADLESS

    @property
    def addresses(self) -> tuple[str, ...]:
        """The virtual addresses: ``clusterIPs``, or ``clusterIP`` alone; none for a headless service."""
        if self.is_headless:
            return ()
        return self.cluster_ips or ((self.cluster_ip,) if self.cluster_ip else ())
