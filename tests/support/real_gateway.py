"""A gateway as users have it: our control plane in this process and one real Envoy on loopback, which opens the ports of its Gateways.

``ports`` gives free ports for the servers; what is sent to ``echo.example.com`` (a ServiceEntry) comes to a server that answers with what it
was asked. Requests go through plain sockets, so that a test sees every byte.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from meshctl_operator.apis.mesh_config import MeshConfig
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.labels import freeze
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.sources.memory import MemorySource
from tests.support.envoy_process import EnvoyProcess

NAMESPACE = "istio-system"
LABELS = {"istio": "ingressgateway"}
ECHO = "echo.example.com"
GATEWAY = Proxy(ProxyRole.ROUTER, "gateway", NAMESPACE, labels=freeze(LABELS), dns_domain=f"{NAMESPACE}.svc.cluster.local")


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that were free a moment ago."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return tuple(probe.getsockname()[1] for probe in probes)
    finally:
        for probe in probes:
            probe.close()


@dataclass(frozen=True)
class Answer:
    """An HTTP response. Header names are in lower case; of several with one name the last counts."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def echo(self) -> dict[str, Any]:
        """What the echo server saw: ``method``, ``path``, ``headers``."""
        seen: dict[str, Any] = json.loads(self.body)
        return seen


@dataclass
class Echo:
    """An HTTP server that answers every request with what it was: ``/fail...`` with 503, ``/never...`` not before ``ended``."""

    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            closing = False
            while not closing:
                head = await reader.readuntil(b"\r\n\r\n")
                seen = _seen(head)
                await reader.readexactly(int(seen["headers"].get("content-length", "0")))
                self.requests.append(seen)
                closing = seen["headers"].get("connection", "").lower() == "close"
                if seen["path"].startswith("/never"):
                    await self.ended.wait()
                body = json.dumps(seen).encode()
                status = b"503 Service Unavailable" if seen["path"].startswith("/fail") else b"200 OK"
                writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\nx-backend: echo\r\n\r\n%b" % (status, len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _seen(head: bytes) -> dict[str, Any]:
    first, *lines = head.decode().rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {"method": method, "path": path, "headers": headers}


class RealGateway:
    """The running gateway."""

    def __init__(
        self, plane: ControlPlane, source: MemorySource, envoy: EnvoyProcess, echo: Echo, nacks: Callable[[], list[Nacked]]
    ) -> None:
        self.plane, self.source, self.envoy, self.echo, self.nacks = plane, source, envoy, echo, nacks

    async def apply(self, text: str) -> None:
        """Add or replace objects, and wait until Envoy has what follows from them."""
        self.source.apply(*documents(text))
        await self.plane.settled()

    async def delete(self, *keys: ObjectKey) -> None:
        """Remove objects, and wait until Envoy has what follows from it."""
        self.source.delete(*keys)
        await self.plane.settled()

    def findings(self) -> list[Diagnostic]:
        """Return what the control plane has to say."""
        return list(self.plane.diagnostics())

    async def get(
        self,
        port: int,
        path: str = "/",
        *,
        host: str = "a.example.com",
        method: str = "GET",
        headers: Iterable[tuple[str, str]] = (),
        tls: ssl.SSLContext | None = None,
        sni: str | None = None,
    ) -> Answer:
        """Send one request on a connection of its own. Raises ConnectionError or ssl.SSLError where the connection is refused."""
        reader, writer = await self.connect(port, tls=tls, sni=sni or host)
        try:
            lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *(f"{name}: {value}" for name, value in headers)]
            writer.write("\r\n".join((*lines, "", "")).encode())
            return read_answer(await asyncio.wait_for(_response(reader), 10))
        finally:
            writer.close()

    async def connect(
        self, port: int, *, tls: ssl.SSLContext | None = None, sni: str = "a.example.com"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection to the gateway."""
        return await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=sni if tls else None)

    async def listening(self, port: int) -> None:
        """Wait until the gateway has opened a port."""

        async def open_now() -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await self.envoy.wait_until(open_now, f"port {port} is open")


async def _response(reader: asyncio.StreamReader) -> bytes:
    """Return one response as soon as it is complete: Envoy keeps a connection open for a second after an answer of its own."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(lengths[0])) if lengths else await reader.read())


def read_answer(raw: bytes) -> Answer:
    """Return a response from its bytes. Raises ConnectionError where there is none."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ConnectionResetError("the connection was closed without an answer")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Answer(int(first.split(" ")[1]), headers, body)


def _joined(body: bytes) -> bytes:
    joined = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        joined, body = joined + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return joined


def documents(text: str) -> list[dict[str, Any]]:
    """Return the documents of a YAML text."""
    return [document for document in yaml.safe_load_all(text) if document]


def gateway_yaml(*servers: str, name: str = "gw") -> str:
    """Return a Gateway for the proxy, with these servers in YAML; they listen on loopback."""
    lines = "\n".join(f"  - {{bind: 127.0.0.1, {server}}}" for server in servers)
    return f"""
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: default}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
{lines}
"""


def routes_yaml(
    http: str = f"[{{route: [{{destination: {{host: {ECHO}}}}}]}}]", *, name: str = "vs", hosts: str = "['*']", gw: str = "gw"
) -> str:
    """Return a VirtualService for the gateway with these HTTP rules in YAML; without any, everything goes to the echo server."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: default}}
spec: {{hosts: {hosts}, gateways: [default/{gw}], http: {http}}}
"""


def _echo_yaml(port: int) -> str:
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: echo, namespace: default}}
spec:
  hosts: [{ECHO}]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{{number: 80, name: http, protocol: HTTP, targetPort: {port}}}]
  endpoints: [{{address: 127.0.0.1}}]
"""


@asynccontextmanager
async def real_gateway(folder: Path, binary: Path, text: str = "", *, proxy: Proxy = GATEWAY, **mesh: Any) -> AsyncIterator[RealGateway]:
    """Run a control plane with these objects and settings, and an Envoy that serves what follows from them. No NACK may happen.

    ``proxy`` is another proxy than the gateway; a sidecar takes requests on its HTTP proxy port.
    """
    echo = Echo()
    backend = await asyncio.start_server(echo.answer, "127.0.0.1", 0)
    echo.port = backend.sockets[0].getsockname()[1]
    source = MemorySource(*documents(_echo_yaml(echo.port) + text))
    config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy)))
    (cluster,) = config["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    with tempfile.TemporaryDirectory(prefix="xds-") as sockets:
        address = Path(sockets) / "xds.sock"
        endpoint["endpoint"]["address"] = {"pipe": {"path": str(address)}}
        plane = ControlPlane(Settings(mesh=MeshConfig.model_validate(mesh)), [source])
        async with backend, plane:
            with plane.events.subscribe() as events:
                await plane.serve(f"unix:{address}")
                async with EnvoyProcess(config, folder / "envoy", binary=binary) as envoy:
                    gateway = RealGateway(
                        plane, source, envoy, echo, lambda: [event for event in events.take() if isinstance(event, Nacked)]
                    )
                    await plane.settled()
                    try:
                        yield gateway
                    finally:
                        echo.ended.set()
                    assert not gateway.nacks()
