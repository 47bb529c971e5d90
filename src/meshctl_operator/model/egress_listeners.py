"""Egress listeners of a Sidecar: where they listen, and what they speak (Istio ``IstioEgressListenerWrapper``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.sidecar import CaptureMode, SidecarSpec
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.protocols import Protocol, parse_protocol
from meshctl_operator.model.proxies import InterceptionMode
from meshctl_operator.registry.cells import Cell, Table

UNIX: Final = "unix://"


@dataclass(frozen=True, slots=True)
class EgressListener:
    """One entry of ``egress``.

    ``protocol`` is None for the entry without a port, which stands for every port that no other entry has. ``address`` is the address or
    ``unix://`` path that it names, empty where services decide. ``bound`` says that it is a real socket rather than a name for captured traffic.
    """

    port: int = 0
    protocol: Protocol | None = None
    address: str = ""
    bound: bool = False

    @property
    def is_catch_all(self) -> bool:
        """Whether it has no port of its own."""
        return self.protocol is None

    @property
    def route(self) -> str:
        """The name of its route configuration: its port, or the path of its socket; nothing for the catch-all, which has many."""
        if self.is_catch_all:
            return ""
        return str(self.port) if self.port else self.address

    @property
    def serves_all_ports(self) -> bool:
        """Whether its routes tell services apart by host *and* port, since clients use it as a proxy or as a socket."""
        return not self.is_catch_all and (self.protocol is Protocol.HTTP_PROXY or not self.port)


CATCH_ALL: Final = EgressListener()


def egress_listeners(ctx: Context, sidecar: ObjectKey | None, interception: InterceptionMode, loopback: str) -> tuple[EgressListener, ...]:
    """Return the egress listeners of a proxy, the catch-all alone where no Sidecar says otherwise (tracked).

    Without interception, or where a listener is not captured, they are bound, and to ``loopback`` where the Sidecar names no address.
    """
    found: tuple[ConfigObject[SidecarSpec], ...] = ctx.fetch(Cell(Table.OBJECT, sidecar)) if sidecar is not None else ()
    declared = found[0].spec.egress if found else ()
    uncaptured = interception is InterceptionMode.NONE
    if not declared:
        return (EgressListener(address=loopback, bound=True) if uncaptured else CATCH_ALL,)
    listeners = []
    for entry in declared:
        bound = uncaptured or entry.capture_mode is CaptureMode.NONE or entry.bind.startswith(UNIX)
        port = entry.port
        listeners.append(
            EgressListener(
                port=port.number if port is not None else 0,
                protocol=parse_protocol(port.protocol) if port is not None else None,
                address=entry.bind or (loopback if bound else ""),
                bound=bound,
            )
        )
    return tuple(listeners)
