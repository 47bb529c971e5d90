"""The structure of ``Gateway``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from meshctl_operator.apis.meta import StrictModel
from meshctl_operator.apis.networking.common import FrozenMap, ServerTls, UInt32
from meshctl_operator.apis.support import validated_only


class Port(StrictModel):
    """A port that a gateway serves (Istio ``Port``). ``number`` is a service port first, a listen port as fall-back."""

    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0


class Server(StrictModel):
    """One port, with the hosts that it serves (Istio ``Server``)."""

    port: Port | None = None
    bind: str = ""
    hosts: tuple[str, ...] = ()
    tls: ServerTls | None = None
    default_endpoint: Annotated[str, validated_only("Istio has never acted on it either")] = ""
    name: str = ""


class GatewaySpec(StrictModel):
    """The ``spec`` of a Gateway. ``selector`` None or empty selects every gateway proxy of the mesh."""

    servers: tuple[Server, ...] = ()
    selector: FrozenMap[str, str] = Field(default_factory=dict)
