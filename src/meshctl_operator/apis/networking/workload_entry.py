"""The structure of ``WorkloadEntry``, which is also the structure of a ServiceEntry's endpoint."""

from __future__ import annotations

from pydantic import Field

from meshctl_operator.apis.meta import StrictModel
from meshctl_operator.apis.networking.common import FrozenMap, UInt32


class WorkloadEntrySpec(StrictModel):
    """The ``spec`` of a WorkloadEntry: one workload outside Kubernetes. ``ports`` maps service port names to ports."""

    address: str = ""
    ports: FrozenMap[str, UInt32] = Field(default_factory=dict)
    labels: FrozenMap[str, str] = Field(default_factory=dict)
    network: str = ""
    locality: str = ""
    weight: UInt32 = 0
    service_account: str = ""
