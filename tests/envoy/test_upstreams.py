"""Real requests through real Envoys, where policies and services decide what becomes of them on the way to the upstream."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.compiler.compiler import compile_proxy
from meshctl_operator.model.proxies import LocalBinding, Locality, Proxy, ProxyRole
from meshctl_operator.xds.ads import AdsServer
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.key_pairs import key_pair
from tests.support.memory_discovery import MemoryDiscovery
from tests.support.mesh_text import TextMesh

pytestmark = pytest.mark.envoy

NODE_ID = "router~127.0.0.1~gw.default~default.svc.cluster.local"
MESH = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gw, namespace: default}
spec: {selector: {app: gw}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: vs, namespace: default}
spec: {hosts: ["*"], gateways: [gw], http: [{route: [{destination: {host: a.example.com}}]}]}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: se, namespace: default}
spec:
  hosts: [a.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  endpoints: ENDPOINTS
---
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: dr, namespace: default}
spec: {host: a.example.com, trafficPolicy: POLICY}
---
"""
POLICY = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p, namespace: default}\nspec: {selector: {matchLabels: {app: gw}}}\n"


@asynccontextmanager
async def upstream(name: str, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Run a server that answers every request with its name, and yield its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\nConnection: close\r\n\r\n{name}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def gateway(text: str, port: int, folder: Path, locality: str = "r1") -> AsyncIterator[str]:
    """Run an Envoy as the gateway of a mesh, and yield its address; nothing that it is served may be refused."""
    proxy = Proxy(
        ProxyRole.ROUTER,
        "gw",
        "default",
        labels=freeze({"app": "gw"}),
        locality=Locality(locality),
        local=LocalBinding("127.0.0.1", ((80, port),)),
    )
    held = TextMesh(text).evaluate(compile_proxy, proxy)
    discovery = MemoryDiscovery(*(resource for found in held.resources.values() for resource in found.values()))
    server = AdsServer(discovery)
    address = await server.start("127.0.0.1:0")
    try:
        async with EnvoyProcess(ads_bootstrap(address, NODE_ID, ["cds", "lds"]), folder, binary=BINARIES["newest"]()):
            yield f"http://127.0.0.1:{port}/"
    finally:
        await server.stop(0.5)
    assert discovery.nacks == []


async def get(url: str) -> tuple[int, str]:
    """Return status and body of a request."""
    async with aiohttp.ClientSession() as session, session.get(url, timeout=aiohttp.ClientTimeout(10)) as response:
        return response.status, await response.text()


def mutual_tls(folder: Path) -> ssl.SSLContext:
    """Return the TLS of a server that asks for the very certificate that it has itself."""
    certificate, private = key_pair()
    (folder / "server.pem").write_bytes(certificate + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(cadata=certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def secret(name: str) -> str:
    """Return the Secret of a client: certificate, key and authorities."""
    certificate, private = (base64.b64encode(part).decode() for part in key_pair())
    return f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: default}}\ndata: {{tls.crt: {certificate}, tls.key: {private}, ca.crt: {certificate}}}\n---\n"


async def test_mutual_tls_with_a_credential(unused_tcp_port: int, tmp_path: Path) -> None:
    """A gateway presents the certificate of the credential and trusts its authorities; without the certificate the server hangs up."""
    async with upstream("tls", mutual_tls(tmp_path)) as port:
        mesh = secret("client") + MESH.replace("ENDPOINTS", f"[{{address: 127.0.0.1, ports: {{http: {port}}}}}]")
        mutual = RULE.replace("POLICY", "{tls: {mode: MUTUAL, credentialName: client, sni: a.example.com}}")
        async with gateway(mesh + mutual, unused_tcp_port, tmp_path) as url:
            assert await get(url) == (200, "tls")
        simple = RULE.replace("POLICY", "{tls: {mode: SIMPLE, credentialName: client, sni: a.example.com}}")
        async with gateway(mesh + simple, unused_tcp_port, tmp_path) as url:
            assert (await get(url))[0] == 503


async def test_a_policy_that_is_not_enforced_shuts(unused_tcp_port: int, tmp_path: Path) -> None:
    """Every request to a workload that an AuthorizationPolicy selects is answered 403."""
    async with upstream("open") as port:
        mesh = MESH.replace("ENDPOINTS", f"[{{address: 127.0.0.1, ports: {{http: {port}}}}}]")
        async with gateway(mesh + POLICY, unused_tcp_port, tmp_path) as url:
            assert (await get(url))[0] == 403


@pytest.mark.parametrize(
    ("setting", "here", "expected"),
    [
        ("{}", "r1", {"near"}),
        ("{}", "r2", {"far"}),
        ("{distribute: [{from: r1, to: {r2: 100}}]}", "r1", {"far"}),
        ('{failoverPriority: ["class=b"]}', "r1", {"far"}),
    ],
)
async def test_localities(setting: str, here: str, expected: set[str], unused_tcp_port: int, tmp_path: Path) -> None:
    """The nearer endpoint answers, unless a rule sends requests elsewhere."""
    async with upstream("near") as near, upstream("far") as far:
        places = (
            f"[{{address: 127.0.0.1, ports: {{http: {near}}}, locality: r1, labels: {{class: a}}}},"
            f" {{address: 127.0.0.1, ports: {{http: {far}}}, locality: r2, labels: {{class: b}}}}]"
        )
        rule = RULE.replace("POLICY", f"{{outlierDetection: {{}}, loadBalancer: {{localityLbSetting: {setting}}}}}")
        async with gateway(MESH.replace("ENDPOINTS", places) + rule, unused_tcp_port, tmp_path, here) as url:
            assert {await get(url) for _ in range(6)} == {(200, name) for name in expected}
