"""Connections that are not plain HTTP between services, through pods that are intercepted: each takes the way that it should."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from meshctl_operator.controlplane.certificates import throw_away_certificate
from tests.support import banner
from tests.support.bookinfo_pods import EGRESS, BookinfoPods
from tests.support.netns import Netns, connected
from tests.support.pod_cluster import OUTSIDE_ADDRESS, key_of
from tests.support.pods import Pod, RawObject

pytestmark = [pytest.mark.traffic, pytest.mark.asyncio(loop_scope="session")]

TCP_OPENED = r"^tcp\.(in|out)bound_?.*downstream_cx_total$"
PASSED = r"^cluster\.PassthroughCluster;?\.upstream_cx_total$"
REGISTRY_ONLY = {"outboundTrafficPolicy": {"mode": "REGISTRY_ONLY"}}


def service(name: str, app: str, *ports: tuple[str, int], **spec: object) -> RawObject:
    """Return a Service with named ports that selects an app."""
    body = {"selector": {"app": app}, "ports": [{"name": name, "port": port} for name, port in ports], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": body}


def istio(kind: str, name: str, spec: RawObject) -> RawObject:
    """Return a routing object."""
    return {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": name, "namespace": "default"}, "spec": spec}


def speaker(bookinfo: BookinfoPods, name: str, app: str, *ports: int, **annotations: str) -> Pod:
    """Return a pod that speaks first at its ports; it is not started yet."""
    script = bookinfo.cluster.folder / "banner.py"
    script.write_text(Path(banner.__file__).read_text())  # into a folder that everybody may read
    words = ["python3", str(script), name, *map(str, ports)]
    container = {"name": "speaker", "command": words, "ports": [{"containerPort": port} for port in ports]}
    meta = {"labels": {"app": app}, "annotations": {key.replace("__", "/"): value for key, value in annotations.items()}}
    return bookinfo.cluster.place(name, {"metadata": meta, "spec": {"containers": [container]}})


async def greeting(netns: Netns, host: str, port: int) -> str:
    """Return what a server says first; empty if it closes without a word."""
    reader, writer = await asyncio.open_connection(sock=await connected(netns.socket(), host, port))
    try:
        async with asyncio.timeout(5):
            line = (await reader.readline()).decode().strip()
            if line:
                writer.write(b"ping\n")
                assert (await reader.readline()).endswith(b": ping\n")
    finally:
        writer.close()
    return line


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speakers(running: BookinfoPods) -> dict[str, Pod]:
    """Two pods of a headless and of a plain TCP service, one with excluded ports, one with TPROXY, and the services themselves."""
    cluster = running.cluster
    for raw in (
        service("tcp-speaker", "speaker", ("tcp", 7000), ("mysql", 7001), ("tcp-other", 7002)),
        service("apart", "apart", ("tcp", 7011)),
        service("transparent", "transparent", ("tcp", 7012)),
        service("speakers", "speaker", ("tcp", 7000), clusterIP="None"),
    ):
        cluster.add(raw)
    pods = {name: speaker(running, name, "speaker", 7000, 7001, 7002) for name in ("speaker-0", "speaker-1")}
    open_ports = {"traffic.sidecar.istio.io__excludeInboundPorts": "7010", "traffic.sidecar.istio.io__excludeOutboundPorts": "7020"}
    pods["apart"] = speaker(running, "apart", "apart", 7010, 7011, **open_ports)
    pods["transparent"] = speaker(running, "transparent", "transparent", 7012, **{"sidecar.istio.io__interceptionMode": "TPROXY"})
    await cluster.start_pods(*pods.values())
    return pods


def address_of(bookinfo: BookinfoPods, name: str) -> str:
    """Return the address that the DNS of the cluster has for a Service."""
    (address,) = bookinfo.cluster.resolve(f"{name}.default.svc.cluster.local")
    return address


async def test_tcp_service(bookinfo: BookinfoPods, speakers: dict[str, Pod]) -> None:
    """Connections to the cluster address of a TCP service are balanced by the client's Envoy and counted by the server's."""
    before = {name: await pod.counter(TCP_OPENED) for name, pod in speakers.items()}
    said = {await greeting(bookinfo.client.netns, address_of(bookinfo, "tcp-speaker"), 7000) for _ in range(20)}
    assert {line.split()[2] for line in said} == {"speaker-0", "speaker-1"}
    assert all([await speakers[name].counter(TCP_OPENED) > before[name] for name in ("speaker-0", "speaker-1")])


@pytest.mark.parametrize("port", [7000, 7001], ids=["tcp", "mysql"])
async def test_servers_that_speak_first(bookinfo: BookinfoPods, speakers: dict[str, Pod], port: int) -> None:
    """Nobody waits for the client's first byte where the protocol is declared."""
    assert speakers
    said = await greeting(bookinfo.client.netns, address_of(bookinfo, "tcp-speaker"), port)
    assert said.startswith("hello from speaker-")


async def test_headless_service(bookinfo: BookinfoPods, speakers: dict[str, Pod]) -> None:
    """Who asks for one pod of a headless service gets that pod, through its sidecar."""
    for name in ("speaker-0", "speaker-1"):
        (address,) = bookinfo.cluster.resolve(f"{name}.speakers.default.svc.cluster.local")
        before = await speakers[name].counter(TCP_OPENED)
        assert (await greeting(bookinfo.client.netns, address, 7000)).startswith(f"hello from {name} ")
        assert await speakers[name].counter(TCP_OPENED) == before + 1


async def test_direct_pod_address(bookinfo: BookinfoPods) -> None:
    """A pod is reached by its address and an HTTP port, as if there were no mesh, and its sidecar sees it."""
    ratings = bookinfo.pod("ratings-v1")
    before = await ratings.counter(r"^http\.inbound_.*downstream_rq_2xx$")
    async with bookinfo.cluster.client(bookinfo.client.netns).get(f"http://{ratings.address}:9080/ratings/0") as response:
        assert (response.status, (await response.json())["workload"]) == (200, "ratings-v1")
    assert await ratings.counter(r"^http\.inbound_.*downstream_rq_2xx$") == before + 1


async def test_a_service_calls_itself(bookinfo: BookinfoPods) -> None:
    """By its own name an application goes out through its Envoy and comes in again through it."""
    ratings = bookinfo.pod("ratings-v1")
    ways = (r"^http\.outbound_.*downstream_rq_2xx$", r"^http\.inbound_.*downstream_rq_2xx$")
    before = [await ratings.counter(way) for way in ways]
    async with bookinfo.cluster.client(ratings.netns).get("http://ratings:9080/ratings/0") as response:
        assert response.status == 200
    assert [await ratings.counter(way) for way in ways] == [count + 1 for count in before]


async def quote(bookinfo: BookinfoPods, url: str, pod: Pod | None = None) -> tuple[int, str]:
    """Return status and body of a request to the outside world."""
    async with bookinfo.cluster.client((pod or bookinfo.client).netns).get(url) as response:
        return response.status, await response.text()


async def test_unknown_hosts_are_allowed(bookinfo: BookinfoPods) -> None:
    """With ALLOW_ANY an external host is reached by HTTP, through the sidecar, though nobody has told the mesh of it."""
    before = await bookinfo.client.counter(PASSED)
    status, body = await quote(bookinfo, "http://quotes.example.org:8080/quote")
    assert (status, json.loads(body)["workload"]) == (200, "outside")
    assert await bookinfo.client.counter(PASSED) > before


async def test_unknown_hosts_are_refused(bookinfo: BookinfoPods, speakers: dict[str, Pod]) -> None:
    """With REGISTRY_ONLY an unknown host answers 502 on an HTTP port, other connections are closed; known ones go on, and so do excluded ports."""
    cluster = bookinfo.cluster
    outside = await asyncio.start_server(_greet, sock=_listening(cluster.outside, 7020))
    await cluster.configure(**REGISTRY_ONLY)
    try:
        assert (await quote(bookinfo, "http://quotes.example.org:9080/quote"))[0] == 502
        assert await _closed(bookinfo.client.netns, OUTSIDE_ADDRESS, 7020)
        assert (await greeting(bookinfo.client.netns, address_of(bookinfo, "tcp-speaker"), 7000)).startswith("hello")
        assert await _first_line(speakers["apart"].netns, OUTSIDE_ADDRESS, 7020) == "outside"
    finally:
        await cluster.configure()
        outside.close()
    assert (await quote(bookinfo, "http://quotes.example.org:8080/quote"))[0] == 200


async def test_excluded_ports_bypass_the_sidecar(bookinfo: BookinfoPods, speakers: dict[str, Pod]) -> None:
    """Inbound too: the application sees the client itself at the excluded port, and the sidecar at the other."""
    apart = speakers["apart"]
    assert (await greeting(bookinfo.cluster.outside, apart.address, 7010)).endswith(f"to {OUTSIDE_ADDRESS}")
    assert (await greeting(bookinfo.cluster.outside, apart.address, 7011)).endswith("to 127.0.0.6")


async def test_transparent_proxying(bookinfo: BookinfoPods, speakers: dict[str, Pod]) -> None:
    """With TPROXY the application sees the address of its client, though its Envoy stands in between."""
    pod = speakers["transparent"]
    before = await pod.counter(TCP_OPENED)
    for netns, address in ((bookinfo.cluster.outside, OUTSIDE_ADDRESS), (bookinfo.client.netns, bookinfo.client.address)):
        assert (await greeting(netns, pod.address, 7012)).endswith(f"to {address}")
    assert await pod.counter(TCP_OPENED) == before + 2
    assert (await greeting(pod.netns, address_of(bookinfo, "tcp-speaker"), 7000)).startswith("hello from speaker-")


async def test_a_virtual_machine(bookinfo: BookinfoPods) -> None:
    """What runs outside of the cluster is called by the name that a ServiceEntry gives it, at the address of its WorkloadEntry."""
    entry = istio(
        "ServiceEntry",
        "machine",
        {
            "hosts": ["machine.example.org"],
            "addresses": ["240.0.9.9"],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8080}],
            "workloadSelector": {"labels": {"app": "machine"}},
        },
    )
    machine = istio("WorkloadEntry", "machine-1", {"address": OUTSIDE_ADDRESS, "labels": {"app": "machine"}})
    bookinfo.cluster.names["machine.example.org"] = ("240.0.9.9",)
    await bookinfo.cluster.apply(entry, machine)
    try:
        status, body = await quote(bookinfo, "http://machine.example.org/quote")
        assert (status, json.loads(body)["workload"]) == (200, "outside")
    finally:
        await bookinfo.cluster.delete(("ServiceEntry", "default", "machine"), ("WorkloadEntry", "default", "machine-1"))


SECURE = "secure.example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def secure(running: BookinfoPods) -> AsyncIterator[list[str]]:
    """A server on the internet that speaks TLS alone, and what it was asked for: the names of SNI."""
    names: list[str] = []
    context = _server_context(running, names)
    server = await asyncio.start_server(_answer_http, sock=_listening(running.cluster.outside, 8443), ssl=context)
    running.cluster.names[SECURE] = ("240.0.9.8",)
    yield names
    server.close()


def external(*ports: RawObject) -> RawObject:
    """Return the ServiceEntry of that server."""
    spec = {"hosts": [SECURE], "addresses": ["240.0.9.8"], "location": "MESH_EXTERNAL", "resolution": "STATIC", "ports": list(ports)}
    return istio("ServiceEntry", "secure", {**spec, "endpoints": [{"address": OUTSIDE_ADDRESS}]})


async def test_egress_gateway_for_tls(bookinfo: BookinfoPods, secure: list[str]) -> None:
    """TLS of an application is led through the egress gateway by its SNI, and ends at the server outside."""
    gateway = {"port": {"number": 443, "name": "tls", "protocol": "TLS"}, "hosts": [SECURE], "tls": {"mode": "PASSTHROUGH"}}
    egress = "istio-egressgateway.istio-system.svc.cluster.local"
    rules = [
        {
            "match": [{"gateways": [way], "port": 443, "sniHosts": [SECURE]}],
            "route": [{"destination": {"host": host, "port": {"number": 443}}}],
        }
        for way, host in (("mesh", egress), ("secure-egress", SECURE))
    ]
    objects = (
        external({"number": 443, "name": "tls", "protocol": "TLS", "targetPort": 8443}),
        istio("Gateway", "secure-egress", {"selector": {"istio": "egressgateway"}, "servers": [gateway]}),
        istio("VirtualService", "secure", {"hosts": [SECURE], "gateways": ["mesh", "secure-egress"], "tls": rules}),
    )
    await bookinfo.cluster.apply(*objects)
    try:
        before = await bookinfo.pod(EGRESS).counter(r"^tcp\..*downstream_cx_total$")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a throw-away certificate
        async with bookinfo.cluster.client(bookinfo.client.netns).get(f"https://{SECURE}/", ssl=context) as response:
            assert await response.text() == "secure"
        assert secure == [SECURE]
        assert await bookinfo.pod(EGRESS).counter(r"^tcp\..*downstream_cx_total$") == before + 1
    finally:
        await bookinfo.cluster.delete(*map(key_of, objects))


async def test_tls_origination(bookinfo: BookinfoPods, secure: list[str]) -> None:
    """An application speaks plain HTTP, and its sidecar TLS."""
    tls = {"trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": SECURE, "insecureSkipVerify": True}}, "host": SECURE}
    objects = (external({"number": 80, "name": "http", "protocol": "HTTP", "targetPort": 8443}), istio("DestinationRule", "secure", tls))
    await bookinfo.cluster.apply(*objects)
    try:
        assert await quote(bookinfo, f"http://{SECURE}/") == (200, "secure")
        assert secure == [SECURE]
    finally:
        await bookinfo.cluster.delete(*map(key_of, objects))


def _server_context(bookinfo: BookinfoPods, names: list[str]) -> ssl.SSLContext:
    """Return a context with a throw-away certificate that notes the names it is asked for."""
    pair = throw_away_certificate((SECURE,))
    folder = bookinfo.cluster.folder
    for name, text in (("secure.crt", pair.certificate), ("secure.key", pair.key)):
        (folder / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "secure.crt", folder / "secure.key")

    def asked(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        names.append(name or "")

    context.sni_callback = asked
    return context


async def _answer_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecure")
    await writer.drain()
    writer.close()


def _listening(netns: Netns, port: int) -> socket.socket:
    sock = netns.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("0.0.0.0", port))
    return sock


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"outside\n")
    writer.close()


async def _first_line(netns: Netns, host: str, port: int) -> str:
    reader, writer = await asyncio.open_connection(sock=await connected(netns.socket(), host, port))
    try:
        return (await asyncio.wait_for(reader.readline(), 5)).decode().strip()
    finally:
        writer.close()


async def _closed(netns: Netns, host: str, port: int) -> bool:
    """Tell whether a connection is closed by the other side before anything was said."""
    try:
        return await _first_line(netns, host, port) == ""
    except ConnectionError:
        return True
