"""The structure of ``Sidecar``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from meshctl_operator.apis.meta import StrictModel
from meshctl_operator.apis.networking.common import Destination, LabelSelector, ServerTls, UInt32
from meshctl_operator.apis.networking.destination_rule import ConnectionPool
from meshctl_operator.apis.support import validated_only


class SidecarPort(StrictModel):
    """A port of a listener (Istio ``SidecarPort``)."""

    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0


class CaptureMode(StrEnum):
    """How traffic reaches a listener (Istio ``CaptureMode``)."""

    DEFAULT = "DEFAULT"
    IPTABLES = "IPTABLES"
    NONE = "NONE"


class IngressListener(StrictModel):
    """Traffic to the workload (Istio ``IstioIngressListener``)."""

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    default_endpoint: str = ""
    tls: Annotated[ServerTls | None, validated_only("the workload itself has to terminate TLS, as with Istio by default")] = None
    connection_pool: ConnectionPool | None = None


class EgressListener(StrictModel):
    """Traffic from the workload; without a port it is the catch-all (Istio ``IstioEgressListener``)."""

    port: SidecarPort | None = None
    bind: str = ""
    capture_mode: CaptureMode = CaptureMode.DEFAULT
    hosts: tuple[str, ...] = ()


class OutboundMode(StrEnum):
    """What happens to traffic for unknown hosts (Istio ``OutboundTrafficPolicy.Mode``)."""

    REGISTRY_ONLY = "REGISTRY_ONLY"
    ALLOW_ANY = "ALLOW_ANY"
    ALLOW_ANY_DYNAMIC_DNS = "ALLOW_ANY_DYNAMIC_DNS"


class OutboundTrafficPolicy(StrictModel):
    """What happens to traffic for unknown hosts (Istio ``OutboundTrafficPolicy``). A block without mode means REGISTRY_ONLY."""

    mode: Annotated[OutboundMode, validated_only("it is read as ALLOW_ANY", "ALLOW_ANY_DYNAMIC_DNS")] = OutboundMode.REGISTRY_ONLY
    egress_proxy: Destination | None = None


class SidecarSpec(StrictModel):
    """The ``spec`` of a Sidecar: what a workload can reach, and how it is reached."""

    workload_selector: LabelSelector | None = None
    ingress: tuple[IngressListener, ...] = ()
    egress: tuple[EgressListener, ...] = ()
    outbound_traffic_policy: OutboundTrafficPolicy | None = None
    inbound_connection_pool: ConnectionPool | None = None
