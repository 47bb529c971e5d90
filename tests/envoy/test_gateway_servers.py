"""Servers of gateways that are no plain HTTP port, by real connections: Unix sockets, TCP, TLS that is passed through."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from meshctl_operator.base.objects import ObjectKey
from tests.support.authorities import authority
from tests.support.envoy_versions import BINARIES
from tests.support.real_gateway import ECHO, RealGateway, free_ports, gateway_yaml, read_answer, real_gateway, routes_yaml

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

REQUEST = b"GET /there HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=sorted(BINARIES))
async def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealGateway]:
    """A gateway of each end of the supported versions."""
    async with real_gateway(tmp_path_factory.mktemp(request.param), BINARIES[request.param]()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def clean(gateway: RealGateway) -> AsyncIterator[None]:
    """Take away what a test applied."""
    yield
    await gateway.delete(*(ObjectKey(kind, "default", name) for kind, name in (("Gateway", "gw"), ("VirtualService", "vs"))))


@pytest_asyncio.fixture(loop_scope="module")
async def tls_port(tmp_path: Path) -> AsyncIterator[int]:
    """A server that ends TLS itself, for the mesh and for anybody, and answers with the name that it was asked for."""
    certificate, key = authority().issue("b.example.com")
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.set_alpn_protocols(["istio"])
    names: list[str] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name or "")

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(names[-1].encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def backend(port: int, name: str) -> str:
    """Return a service of the mesh that is that server."""
    return f"""
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example.com]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{{number: 443, name: tls, protocol: TLS, targetPort: {port}}}]
  endpoints: [{{address: 127.0.0.1}}]
"""


async def said(port: int, sni: str, *alpn: str) -> str | None:
    """Return what the server behind the gateway says to a client that asks for the name; None where the connection is closed."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # this is about who answers
    if alpn:
        context.set_alpn_protocols(list(alpn))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=sni)
    except (ssl.SSLError, ConnectionError):
        return None
    try:
        return (await asyncio.wait_for(reader.read(), 10)).decode()
    finally:
        writer.close()


async def test_unix_socket(gateway: RealGateway) -> None:
    """A server on a Unix socket speaks HTTP there."""
    with tempfile.TemporaryDirectory(prefix="gw-") as folder:
        path = Path(folder) / "gw.sock"
        server = f"port: {{number: 0, name: http, protocol: HTTP}}, hosts: ['*'], bind: 'unix://{path}'"
        await gateway.apply(gateway_yaml(server).replace("bind: 127.0.0.1, ", "") + routes_yaml())

        async def there() -> bool:
            return path.exists()

        await gateway.envoy.wait_until(there, "the socket is there")
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(REQUEST)
        answer = read_answer(await asyncio.wait_for(reader.read(), 10))
        writer.close()
        assert (answer.status, answer.echo["path"]) == (200, "/there")


@pytest.mark.parametrize("protocol", ["TCP", "tcp", "MONGO", "MYSQL", "REDIS"])
async def test_tcp(gateway: RealGateway, protocol: str) -> None:
    """Bytes go to the destination of the tcp rule, whatever protocol they are said to be."""
    (port,) = free_ports(1)
    rules = f"tcp: [{{match: [{{port: {port}}}], route: [{{destination: {{host: {ECHO}, port: {{number: 80}}}}}}]}}]"
    text = routes_yaml().partition("http: ")[0] + rules + "}"
    await gateway.apply(gateway_yaml(f"port: {{number: {port}, name: tcp, protocol: {protocol}}}, hosts: ['*']") + text)
    await gateway.listening(port)
    assert (await gateway.get(port, "/there")).echo["path"] == "/there"


async def test_passthrough(gateway: RealGateway, tls_port: int) -> None:
    """TLS goes on untouched to the destination of its server name; a name without a rule is turned away."""
    (port,) = free_ports(1)
    rules = "tls: [{match: [{sniHosts: [b.example.com, '*.c.example.com']}], route: [{destination: {host: b.example.com}}]}]"
    text = routes_yaml(hosts="[b.example.com, '*.c.example.com']").partition("http: ")[0] + rules + "}"
    server = f"port: {{number: {port}, name: tls, protocol: TLS}}, hosts: ['*'], tls: {{mode: PASSTHROUGH}}"
    await gateway.apply(gateway_yaml(server) + text + backend(tls_port, "b"))
    await gateway.listening(port)
    assert [await said(port, name) for name in ("b.example.com", "x.c.example.com", "c.example.com", "d.example.com")] == [
        "b.example.com",
        "x.c.example.com",
        None,
        None,
    ]


async def test_passing_to_services(gateway: RealGateway, tls_port: int) -> None:
    """TLS of the mesh goes on to the service that its server name spells out; that of others is turned away."""
    (port,) = free_ports(1)
    server = f"port: {{number: {port}, name: tls, protocol: TLS}}, hosts: ['*.example.com'], tls: {{mode: AUTO_PASSTHROUGH}}"
    await gateway.apply(gateway_yaml(server) + backend(tls_port, "c"))
    await gateway.listening(port)
    name = "outbound_.443_._.c.example.com"
    assert await said(port, name, "istio") == name
    assert await said(port, name) is None
    assert await said(port, "outbound_.443_._.nobody.example.com", "istio") is None
