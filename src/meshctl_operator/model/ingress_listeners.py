"""Ingress listeners of a Sidecar: what a workload is reached by where the Sidecar, and not services, says so."""

from __future__ import annotations

from dataclasses import dataclass

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.destination_rule import ConnectionPool
from meshctl_operator.apis.networking.sidecar import CaptureMode, IngressListener, SidecarSpec
from meshctl_operator.base.hostname import is_ip
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.protocols import Protocol, parse_protocol
from meshctl_operator.model.proxies import InterceptionMode
from meshctl_operator.model.views import InboundView
from meshctl_operator.registry.cells import Cell, Table

_UNIX = "unix://"


@dataclass(frozen=True, slots=True)
class Ingress:
    """One entry of ``ingress``.

    ``address`` is where it listens if ``bound``, empty for any address. ``endpoint`` is where its traffic goes: an IP with
    ``endpoint_port``, a ``unix://`` path, or nothing for the original destination. ``pool`` is its own or that of the Sidecar.
    """

    sidecar: ObjectKey
    port: int
    protocol: Protocol
    name: str = ""
    address: str = ""
    bound: bool = False
    endpoint: str = ""
    endpoint_port: int = 0
    pool: ConnectionPool | None = None


def ingress_listeners(ctx: Context, view: InboundView) -> tuple[Ingress, ...]:
    """Return the ingress listeners of a workload by port; none where services say what it is reached by (tracked)."""
    found: tuple[ConfigObject[SidecarSpec], ...] = ctx.fetch(Cell(Table.OBJECT, view.sidecar)) if view.sidecar is not None else ()
    if not found:
        return ()
    spec = found[0].spec
    listeners: dict[int, Ingress] = {}
    for declared in spec.ingress:
        if declared.port is not None:
            listeners.setdefault(declared.port.number, _ingress(declared, found[0].key, spec, view))
    return tuple(listeners[port] for port in sorted(listeners))


def _ingress(declared: IngressListener, sidecar: ObjectKey, spec: SidecarSpec, view: InboundView) -> Ingress:
    endpoint, endpoint_port = _endpoint(declared.default_endpoint, view.ips)
    port = declared.port
    return Ingress(
        sidecar=sidecar,
        port=port.number if port is not None else 0,
        protocol=parse_protocol(port.protocol if port is not None else ""),
        name=port.name if port is not None else "",
        address=declared.bind,
        bound=view.interception is InterceptionMode.NONE or declared.capture_mode is CaptureMode.NONE,
        endpoint=endpoint,
        endpoint_port=endpoint_port,
        pool=declared.connection_pool or spec.inbound_connection_pool,
    )


def _endpoint(text: str, ips: tuple[str, ...]) -> tuple[str, int]:
    """Return address and port of a default endpoint; nothing for one that is not written, or not readable.

    The loopback address is of the family that the proxy has, IPv4 before IPv6. An unspecified address stands for the proxy's first of
    that family, or for loopback where it has none.
    """
    if not text or text.startswith(_UNIX):
        return text, 0
    address, _, port = text.rpartition(":")
    address = address.strip("[]")
    if not port.isascii() or not port.isdigit():
        return "", 0
    loopback = "127.0.0.1" if any(":" not in ip for ip in ips) or not ips else "::1"
    match address:
        case "" | "127.0.0.1" | "::1":
            return loopback, int(port)
        case "0.0.0.0":  # noqa: S104  (the user's word for any address of the workload)
            return next((ip for ip in ips if ":" not in ip), loopback), int(port)
        case "::":
            return next((ip for ip in ips if ":" in ip), loopback), int(port)
        case _:
            return (address, int(port)) if is_ip(address) else ("", 0)
