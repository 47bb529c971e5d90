"""The structure of ``WorkloadGroup``. Nothing of it reaches a proxy's config: it is the blueprint of WorkloadEntries."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from meshctl_operator.apis.meta import OneOfModel, StrictModel
from meshctl_operator.apis.networking.common import FrozenMap, Int32, UInt32
from meshctl_operator.apis.networking.workload_entry import WorkloadEntrySpec
from meshctl_operator.apis.support import validated_only

_NO_REGISTRATION = "WorkloadEntries are not created from a group; write them yourself"
_NO_PROBES = "workloads are not probed"


class GroupMeta(StrictModel):
    """Labels and annotations of the entries that a group makes (Istio ``WorkloadGroup.ObjectMeta``)."""

    labels: FrozenMap[str, str] = Field(default_factory=dict)
    annotations: FrozenMap[str, str] = Field(default_factory=dict)


class HttpHeader(StrictModel):
    """A header of a probe (Istio ``HTTPHeader``)."""

    name: str = ""
    value: str = ""


class HttpProbe(StrictModel):
    """A probe by HTTP (Istio ``HTTPHealthCheckConfig``)."""

    path: str = ""
    port: UInt32 = 0
    host: str = ""
    scheme: str = ""
    http_headers: tuple[HttpHeader, ...] = ()


class TcpProbe(StrictModel):
    """A probe by opening a connection (Istio ``TCPHealthCheckConfig``)."""

    host: str = ""
    port: UInt32 = 0


class ExecProbe(StrictModel):
    """A probe by a command (Istio ``ExecHealthCheckConfig``)."""

    command: tuple[str, ...] = ()


class GrpcProbe(StrictModel):
    """A probe by the gRPC health protocol (Istio ``GrpcHealthCheckConfig``)."""

    port: UInt32 = 0
    service: str = ""


class ReadinessProbe(OneOfModel):
    """How the agent beside a workload probes it (Istio ``ReadinessProbe``)."""

    one_ofs = (("http_get", "tcp_socket", "exec_", "grpc"),)

    initial_delay_seconds: Int32 = 0
    timeout_seconds: Int32 = 0
    period_seconds: Int32 = 0
    success_threshold: Int32 = 0
    failure_threshold: Int32 = 0
    http_get: HttpProbe | None = None
    tcp_socket: TcpProbe | None = None
    exec_: ExecProbe | None = Field(default=None, alias="exec")
    grpc: GrpcProbe | None = None


class WorkloadGroupSpec(StrictModel):
    """The ``spec`` of a WorkloadGroup."""

    metadata: Annotated[GroupMeta | None, validated_only(_NO_REGISTRATION)] = None
    template: Annotated[WorkloadEntrySpec | None, validated_only(_NO_REGISTRATION)] = None
    probe: Annotated[ReadinessProbe | None, validated_only(_NO_PROBES)] = None
