"""The view of ``Pod``."""

from __future__ import annotations

from pydantic import Field

from meshctl_operator.apis.core.views import KubernetesView


class ContainerPort(KubernetesView):
    """A port that a container declares."""

    name: str = ""
    container_port: int = 0
    protocol: str = "TCP"


class EnvVar(KubernetesView):
    """An environment variable with a literal value."""

    name: str = ""
    value: str = ""


class Container(KubernetesView):
    """One container."""

    name: str = ""
    image: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    restart_policy: str = ""


class PodIp(KubernetesView):
    """One address of a pod."""

    ip: str = ""


class PodCondition(KubernetesView):
    """One condition, such as ``Ready``."""

    type: str = ""
    status: str = ""


class PodStatus(KubernetesView):
    """The status of a pod."""

    phase: str = ""
    pod_ip: str = Field(default="", alias="podIP")
    pod_ips: tuple[PodIp, ...] = Field(default=(), alias="podIPs")
    conditions: tuple[PodCondition, ...] = ()


class PodSpec(KubernetesView):
    """The ``spec`` of a Pod (or of a pod template), with its status."""

    service_account_name: str = ""
    node_name: str = ""
    hostname: str = ""
    subdomain: str = ""
    host_network: bool = False
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    status: PodStatus = Field(default_factory=PodStatus)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the pod, the primary one first."""
        return tuple(ip.ip for ip in self.status.pod_ips if ip.ip) or ((self.status.pod_ip,) if self.status.pod_ip else ())

    @property
    def serving_containers(self) -> tuple[Container, ...]:
        """The containers that run for as long as the pod does: all but the init containers that end, native sidecars included."""
        return (*self.containers, *(container for container in self.init_containers if container.restart_policy == "Always"))

    @property
    def is_ready(self) -> bool:
        """Whether the condition ``Ready`` is true."""
        return any(condition.type == "Ready" and condition.status == "True" for condition in self.status.conditions)
