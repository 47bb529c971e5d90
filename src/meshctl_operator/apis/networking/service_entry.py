"""The structure of ``ServiceEntry``."""

from __future__ import annotations

from enum import StrEnum

from meshctl_operator.apis.meta import StrictModel
from meshctl_operator.apis.networking.common import LabelSelector, UInt32
from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec


class Location(StrEnum):
    """Whether a service is part of the mesh (Istio ``ServiceEntry.Location``)."""

    MESH_EXTERNAL = "MESH_EXTERNAL"
    MESH_INTERNAL = "MESH_INTERNAL"


class Resolution(StrEnum):
    """How the addresses of a service are found (Istio ``ServiceEntry.Resolution``)."""

    NONE = "NONE"
    STATIC = "STATIC"
    DNS = "DNS"
    DNS_ROUND_ROBIN = "DNS_ROUND_ROBIN"
    DYNAMIC_DNS = "DYNAMIC_DNS"

    @property
    def is_dns(self) -> bool:
        """Whether Envoy resolves the host or the endpoints by DNS while it runs (DYNAMIC_DNS resolves per request and is not meant)."""
        return self in {Resolution.DNS, Resolution.DNS_ROUND_ROBIN}


class ServicePort(StrictModel):
    """A port of a service (Istio ``ServicePort``). An empty protocol is sniffed."""

    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0


class ServiceEntrySpec(StrictModel):
    """The ``spec`` of a ServiceEntry."""

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    location: Location = Location.MESH_EXTERNAL
    resolution: Resolution = Resolution.NONE
    endpoints: tuple[WorkloadEntrySpec, ...] = ()
    workload_selector: LabelSelector | None = None
    export_to: tuple[str, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
