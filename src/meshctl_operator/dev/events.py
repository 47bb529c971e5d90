"""What the local mesh tells, and the way it is told to programs: JSON lines on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Event, Nacked
from meshctl_operator.dev.layout import LocalProxy

if TYPE_CHECKING:
    from meshctl_operator.dev.mesh import LocalMesh


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything runs: where the gateways and sidecars are, how long it took, what was found wrong on the way, and where the log is.

    ``paths`` are paths worth opening.
    """

    ms: float
    proxies: tuple[LocalProxy, ...]
    xds: str
    http: str
    findings: tuple[Diagnostic, ...]
    log: str
    paths: tuple[str, ...] = ()

    @property
    def gateways(self) -> tuple[LocalProxy, ...]:
        """The gateways, the entrance first."""
        return tuple(proxy for proxy in self.proxies if proxy.is_gateway)

    @property
    def sidecars(self) -> tuple[LocalProxy, ...]:
        """The sidecars, by name."""
        return tuple(proxy for proxy in self.proxies if not proxy.is_gateway)

    def to_json(self) -> dict[str, object]:
        """Return the public form (``meshctl dev -o json``)."""
        return {
            "event": "ready",
            "ms": round(self.ms),
            "gateways": [_gateway(gateway) for gateway in self.gateways],
            "sidecars": [
                {
                    "name": sidecar.workload.name,
                    "namespace": sidecar.workload.namespace,
                    "inbound": next(iter(sidecar.inbound), None),
                    "http_proxy": f"127.0.0.1:{sidecar.http_proxy}",
                    "app": f"127.0.0.1:{sidecar.app_port}",
                    "admin": str(sidecar.admin),
                }
                for sidecar in self.sidecars
            ],
            "xds": self.xds,
            "http": self.http,
            "log": self.log,
            "diagnostics": [finding.to_json() for finding in self.findings],
        }


def _gateway(gateway: LocalProxy) -> dict[str, object]:
    """Return the public form of a gateway."""
    return {
        "name": gateway.workload.name,
        "namespace": gateway.workload.namespace,
        "ports": gateway.gateway_ports,
        "admin": str(gateway.admin),
    }


@dataclass(frozen=True, slots=True)
class GatewayPorts:
    """A gateway answers at other ports than before: declared ports with their addresses, those that are new and those that are gone."""

    gateway: LocalProxy
    opened: Mapping[str, str]
    closed: Mapping[str, str]

    def to_json(self) -> dict[str, object]:
        """Return the public form: the gateway as in ``ready``, with what is new and gone."""
        return {"event": "gateway", **_gateway(self.gateway), "opened": dict(self.opened), "closed": dict(self.closed)}


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """A process ended on its own and is started again."""

    name: str
    reason: str

    def to_json(self) -> dict[str, object]:
        """Return the public form."""
        return {"event": "restart", "name": self.name, "reason": self.reason}


DevEvent = Event | ProcessDied | GatewayPorts


class Reporter(Protocol):
    """Tells people or programs what goes on. Calls come on the event loop and are short."""

    def starting(self, proxies: tuple[LocalProxy, ...]) -> None:
        """Processes are being started."""
        ...

    def ready(self, ready: Ready) -> None:
        """Everything runs."""
        ...

    def event(self, event: DevEvent) -> None:
        """Something happened after that."""
        ...

    async def watch(self, mesh: LocalMesh) -> None:
        """Run beside the mesh until cancelled, to ask it now and then how it is."""
        ...


class JsonReporter:
    """Writes one JSON object a line: ``ready``, then what happens. Nothing comes before ``ready``."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Take where to write, standard output by default."""
        self._stream = stream or sys.stdout

    def starting(self, proxies: tuple[LocalProxy, ...]) -> None:
        """Say nothing."""

    def ready(self, ready: Ready) -> None:
        """Write the first line."""
        self._write(ready.to_json())

    def event(self, event: DevEvent) -> None:
        """Write changes, answers of proxies, ports of gateways and restarts; who connects is of no interest here."""
        if isinstance(event, ConfigApplied | Acked | Nacked | ProcessDied | GatewayPorts):
            self._write(event.to_json())

    async def watch(self, mesh: LocalMesh) -> None:
        """Ask nothing."""

    def _write(self, value: dict[str, object]) -> None:
        self._stream.write(json.dumps(value) + "\n")
        self._stream.flush()
