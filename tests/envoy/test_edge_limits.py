"""A gateway under bad clients: slow ones, those with too much to say, and those behind a proxy that says who they are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.envoy_versions import BINARIES
from tests.support.real_gateway import RealGateway, free_ports, gateway_yaml, read_answer, real_gateway, routes_yaml

pytestmark = pytest.mark.envoy
VERSIONS = pytest.mark.parametrize("version", sorted(BINARIES))


def http(port: int) -> str:
    """Return a gateway on a port, and routes to the echo server."""
    return gateway_yaml(f"port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ['*']") + routes_yaml()


async def raw(gateway: RealGateway, port: int, data: bytes) -> bytes:
    """Send bytes, and return everything that comes until the gateway closes the connection."""
    reader, writer = await gateway.connect(port)
    writer.write(data)
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:  # closed at once, with what was sent still unread
        return b""
    finally:
        writer.close()


@VERSIONS
async def test_headers(version: str, tmp_path: Path) -> None:
    """By default 60 KiB and 100 headers are let in, and nothing beyond; what is let in comes through unchanged."""
    (port,) = free_ports(1)
    async with real_gateway(tmp_path, BINARIES[version](), http(port)) as gateway:
        await gateway.listening(port)
        assert (await gateway.get(port, headers=[("x-big", "a" * 50_000)])).status == 200
        assert (await gateway.get(port, headers=[("x-big", "a" * 62_000)])).status == 431
        assert (await gateway.get(port, headers=[(f"x-{number}", "a") for number in range(90)])).status == 200
        assert (await gateway.get(port, headers=[(f"x-{number}", "a") for number in range(110)])).status == 431
        echo = (await gateway.get(port, "/a//b%2Fc", headers=[("x_under", "score")])).echo
        assert (echo["path"], echo["headers"]["x_under"]) == ("/a//b%2Fc", "score")


@VERSIONS
async def test_slow_clients(version: str, tmp_path: Path) -> None:
    """Who never ends its headers, its body, or sits on an idle connection is let go, each after its own time."""
    (port,) = free_ports(1)
    limits = {"httpRequestHeadersTimeout": "200ms", "httpRequestTimeout": "400ms", "httpIdleTimeout": "300ms"}
    settings = {"connectionSettings": limits}
    async with real_gateway(tmp_path, BINARIES[version](), http(port), defaultConfig=settings) as gateway:
        await gateway.listening(port)
        headers = await raw(gateway, port, b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
        assert read_answer(headers).status == 408
        body = await raw(gateway, port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nslow")
        assert read_answer(body).status == 408
        assert await raw(gateway, port, b"") == b""
        assert (await gateway.get(port)).status == 200


@VERSIONS
async def test_edge_profile(version: str, tmp_path: Path) -> None:
    """Envoy's whole advice: names of headers with underscores are refused, slashes merged, escaped ones redirected."""
    (port,) = free_ports(1)
    async with real_gateway(
        tmp_path, BINARIES[version](), http(port), defaultConfig={"connectionSettings": {"profile": "EDGE"}}
    ) as gateway:
        await gateway.listening(port)
        assert (await gateway.get(port, headers=[("x_under", "score")])).status == 400
        assert (await gateway.get(port, "/a//b")).echo["path"] == "/a/b"
        redirected = await gateway.get(port, "/a%2Fb")
        assert (redirected.status, redirected.headers["location"].rpartition("a.example.com")[2]) == (307, "/a/b")


@VERSIONS
async def test_proxy_protocol(version: str, tmp_path: Path) -> None:
    """Behind a load balancer that speaks the PROXY protocol the address of the client is the one that it names."""
    (port,) = free_ports(1)
    async with real_gateway(tmp_path, BINARIES[version](), http(port), defaultConfig={"gatewayTopology": {"proxyProtocol": {}}}) as gateway:
        await gateway.listening(port)
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answer = read_answer(await raw(gateway, port, b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 80\r\n" + request))
        assert answer.echo["headers"]["x-forwarded-for"] == "192.0.2.7"
        assert await raw(gateway, port, request) == b""


@VERSIONS
async def test_limits_of_the_process(version: str, tmp_path: Path) -> None:
    """The bootstrap of a gateway has a limit of memory, and Envoy acts by it."""
    async with real_gateway(tmp_path, BINARIES[version]()) as gateway:
        dump = await gateway.envoy.config_dump("resource=")
        assert "envoy.resource_monitors.fixed_heap" in json.dumps(dump)
        stats = await gateway.envoy.stats("overload.*")
        assert stats["overload.envoy.overload_actions.stop_accepting_requests.active"] == 0
