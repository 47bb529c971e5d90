"""What policies do to requests of pods: where they go when endpoints die and come back, what is refused, who is ejected, who stays where."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support import echoes
from tests.support.bookinfo_pods import EGRESS, BookinfoPods
from tests.support.netns import connected
from tests.support.pod_cluster import OUTSIDE_ADDRESS, key_of
from tests.support.pods import Pod, RawObject
from tests.traffic.test_connections import SECURE, external, istio, quote, secure, service

__all__ = ["secure"]

pytestmark = [pytest.mark.traffic, pytest.mark.asyncio(loop_scope="session")]

PORT = 9100
PLACES = {"echo-0": "r1.z1.s1", "echo-1": "r1.z2.s1", "echo-2": "r2.z1.s1"}
OUTLIERS = {"consecutive5xxErrors": 3, "interval": "0.2s", "baseEjectionTime": "60s", "maxEjectionPercent": 100}


def echo(bookinfo: BookinfoPods, name: str, app: str, address: str = "0.0.0.0", place: str = "", **annotations: str) -> Pod:
    """Return a pod that answers with its name; it is not started yet."""
    script = bookinfo.cluster.folder / "echoes.py"
    script.write_text(Path(echoes.__file__).read_text())  # into a folder that everybody may read
    words = ["python3", str(script), name, address, str(PORT)]
    container = {"name": "echo", "command": words, "ports": [{"containerPort": PORT}]}
    labels = {"app": app, **({"istio-locality": place} if place else {})}
    meta = {"labels": labels, "annotations": {key.replace("__", "/"): value for key, value in annotations.items()}}
    return bookinfo.cluster.place(name, {"metadata": meta, "spec": {"containers": [container]}})


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pods(running: BookinfoPods) -> dict[str, Pod]:
    """Three pods of a service in three places, and who calls them from the first of these."""
    running.cluster.add(service("echo", "echo", ("http", PORT)))
    found = {name: echo(running, name, "echo", place=place) for name, place in PLACES.items()}
    meta = {"labels": {"app": "caller", "istio-locality": "r1.z1.s1"}}
    found["caller"] = running.cluster.place("caller", {"metadata": meta, "spec": {"containers": []}})
    await running.cluster.start_pods(*found.values())
    return found


def rule(**policy: object) -> RawObject:
    """Return the DestinationRule of the service."""
    return istio("DestinationRule", "echo", {"host": "echo", "trafficPolicy": policy})


async def asked(bookinfo: BookinfoPods, pod: Pod, count: int = 1, query: str = "", **headers: str) -> Counter[tuple[int, str]]:
    """Return how many requests of a pod got which status and body, one after the other."""
    seen: Counter[tuple[int, str]] = Counter()
    session = bookinfo.cluster.client(pod.netns)
    for _ in range(count):
        async with session.get(
            f"http://echo:{PORT}/{query}", headers={key.replace("_", "-"): value for key, value in headers.items()}
        ) as response:
            seen[response.status, await response.text()] += 1
    return seen


async def be_ready(bookinfo: BookinfoPods, pod: Pod, *, ready: bool) -> None:
    """Let a pod's readiness change, as a kubelet does when its probe says so."""
    pod.raw["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]
    await bookinfo.cluster.publish()


async def test_locality_failover(bookinfo: BookinfoPods, pods: dict[str, Pod]) -> None:
    """Requests stay in their zone, then in their region, and come back as soon as the nearer endpoint does."""
    caller = pods["caller"]
    await bookinfo.cluster.apply(rule(outlierDetection=OUTLIERS))
    try:
        assert await asked(bookinfo, caller, 10) == {(200, "echo-0"): 10}
        for down, then in (("echo-0", "echo-1"), ("echo-1", "echo-2")):
            await be_ready(bookinfo, pods[down], ready=False)
            assert await asked(bookinfo, caller, 10) == {(200, then): 10}
        for up in ("echo-1", "echo-0"):
            await be_ready(bookinfo, pods[up], ready=True)
            assert await asked(bookinfo, caller, 10) == {(200, up): 10}
    finally:
        for pod in pods.values():
            pod.raw["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
        await bookinfo.cluster.delete(("DestinationRule", "default", "echo"))


async def test_outlier_ejection(bookinfo: BookinfoPods, pods: dict[str, Pod]) -> None:
    """Who fails again and again is left out: others answer what he would have failed."""
    caller = pods["caller"]
    objects = (
        rule(outlierDetection=OUTLIERS, loadBalancer={"simple": "ROUND_ROBIN", "localityLbSetting": {"enabled": False}}),
        istio(
            "VirtualService",
            "echo",
            {"hosts": ["echo"], "http": [{"route": [{"destination": {"host": "echo"}}], "retries": {"attempts": 0}}]},
        ),
    )
    await bookinfo.cluster.apply(*objects)
    try:
        before = await caller.counter(r"^cluster\.outbound\|9100.*ejections_enforced_consecutive_5xx$")
        failed = await asked(bookinfo, caller, 30, "?fail=echo-1")
        assert failed[503, "echo-1"] == 3, failed
        assert sum(failed.values()) - 3 == failed[200, "echo-0"] + failed[200, "echo-2"]
        assert set(await asked(bookinfo, caller, 20)) == {(200, "echo-0"), (200, "echo-2")}
        assert await caller.counter(r"^cluster\.outbound\|9100.*ejections_enforced_consecutive_5xx$") == before + 1
    finally:
        await bookinfo.cluster.delete(*map(key_of, objects))


async def test_circuit_breaking(bookinfo: BookinfoPods, pods: dict[str, Pod]) -> None:
    """What is above the limits is refused at once, and the rest is answered."""
    caller = pods["caller"]
    limits = {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1, "http2MaxRequests": 2}}
    await bookinfo.cluster.apply(rule(connectionPool=limits))
    overflow = r"^cluster\.outbound\|9100.*upstream_rq_pending_overflow$"
    before = await caller.counter(overflow)
    try:
        async with asyncio.timeout(20):
            while await caller.counter(overflow) == before:  # sidecars of the servers have the limits too, and may have them earlier
                answers = await asyncio.gather(*(asked(bookinfo, caller, 1, "?wait=0.5") for _ in range(10)))
        statuses = Counter(status for answer in answers for status, _ in answer)
        assert set(statuses) == {200, 503}, statuses
        assert statuses[200] <= 4, statuses
    finally:
        await bookinfo.cluster.delete(("DestinationRule", "default", "echo"))
    assert set(await asked(bookinfo, caller, 5)) <= {(200, name) for name in PLACES}


async def test_consistent_hash_by_header(bookinfo: BookinfoPods, pods: dict[str, Pod]) -> None:
    """Each user stays with one pod, also when something else changes; different users are spread over the pods."""
    caller = pods["caller"]
    users = [f"user-{number}" for number in range(12)]
    await bookinfo.cluster.apply(rule(loadBalancer={"consistentHash": {"httpHeaderName": "x-user"}}))
    try:
        before = {user: await asked(bookinfo, caller, 2, x_user=user) for user in users}
        assert {len(seen) for seen in before.values()} == {1}
        assert len({name for seen in before.values() for _, name in seen}) > 1
        await bookinfo.cluster.apply(
            istio("DestinationRule", "unrelated", {"host": "details", "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}})
        )
        assert {user: await asked(bookinfo, caller, 2, x_user=user) for user in users} == before
    finally:
        await bookinfo.cluster.delete(("DestinationRule", "default", "echo"), ("DestinationRule", "default", "unrelated"))


async def test_consistent_hash_by_cookie(bookinfo: BookinfoPods, pods: dict[str, Pod]) -> None:
    """The sidecar gives a cookie to who has none, and who comes with it meets the same pod, whatever else changes."""
    caller = pods["caller"]
    await bookinfo.cluster.apply(rule(loadBalancer={"consistentHash": {"httpCookie": {"name": "session", "ttl": "60s"}}}))
    try:
        session = bookinfo.cluster.client(caller.netns)
        homes: dict[str, str] = {}
        for _ in range(8):
            async with session.get(f"http://echo:{PORT}/") as response:
                homes[f"session={response.cookies['session'].value}"] = await response.text()
        for cookie, name in homes.items():
            assert await asked(bookinfo, caller, 5, cookie=cookie) == {(200, name): 5}
        await bookinfo.cluster.apply(service("unrelated", "nobody", ("http", 9101)))
        for cookie, name in homes.items():
            assert await asked(bookinfo, caller, 5, cookie=cookie) == {(200, name): 5}
    finally:
        await bookinfo.cluster.delete(("DestinationRule", "default", "echo"), ("Service", "default", "unrelated"))


async def test_tls_origination_at_the_egress_gateway(bookinfo: BookinfoPods, secure: list[str]) -> None:
    """An application and its sidecar speak plain HTTP; the egress gateway speaks TLS to the outside."""
    gateway = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [SECURE]}
    egress = "istio-egressgateway.istio-system.svc.cluster.local"
    routes = [
        {"match": [{"gateways": [way]}], "route": [{"destination": {"host": host, "port": {"number": port}}}]}
        for way, host, port in (("mesh", egress, 80), ("secure-egress", SECURE, 443))
    ]
    tls = {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}]}
    objects = (
        external(
            {"number": 80, "name": "http", "protocol": "HTTP"}, {"number": 443, "name": "https", "protocol": "HTTPS", "targetPort": 8443}
        ),
        istio("Gateway", "secure-egress", {"selector": {"istio": "egressgateway"}, "servers": [gateway]}),
        istio("VirtualService", "secure", {"hosts": [SECURE], "gateways": ["mesh", "secure-egress"], "http": routes}),
        istio("DestinationRule", "secure", {"host": SECURE, "trafficPolicy": tls}),
    )
    await bookinfo.cluster.apply(*objects)
    try:
        before = await bookinfo.pod(EGRESS).counter(r"^http\.outbound_.*downstream_rq_2xx$")
        assert await quote(bookinfo, f"http://{SECURE}/") == (200, "secure")
        assert secure == [SECURE]
        assert await bookinfo.pod(EGRESS).counter(r"^http\.outbound_.*downstream_rq_2xx$") == before + 1
    finally:
        await bookinfo.cluster.delete(*map(key_of, objects))


async def test_names_resolved_per_request(bookinfo: BookinfoPods) -> None:
    """Any host under a wildcard is resolved while the request is there; with REGISTRY_ONLY no other way leads out."""
    hosts = {"a.dynamic.example.org": 200, "b.dynamic.example.org": 200, "a.other.example.org": 502}
    bookinfo.cluster.names.update(dict.fromkeys(hosts, (OUTSIDE_ADDRESS,)))
    ports = [{"number": 8080, "name": "http", "protocol": "HTTP"}]
    entry = istio("ServiceEntry", "dynamic", {"hosts": ["*.dynamic.example.org"], "resolution": "DYNAMIC_DNS", "ports": ports})
    await bookinfo.cluster.apply(entry)
    await bookinfo.cluster.configure(outboundTrafficPolicy={"mode": "REGISTRY_ONLY"})
    try:
        assert {host: (await quote(bookinfo, f"http://{host}:8080/quote"))[0] for host in hosts} == hosts
        assert await bookinfo.client.counter(r"^cluster\.outbound\|8080\|\|\*\.dynamic\.example\.org;?\.upstream_rq_2xx$") == 2
    finally:
        await bookinfo.cluster.configure()
        await bookinfo.cluster.delete(key_of(entry))


async def test_a_tunnel(bookinfo: BookinfoPods, secure: list[str]) -> None:
    """TLS to an external host is led through a forward proxy, which is asked by CONNECT for what the rule names."""
    wanted: list[str] = []

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        wanted.append(head.split(b"\r\n")[0].decode())
        there = await asyncio.open_connection(sock=await connected(bookinfo.cluster.outside.socket(), OUTSIDE_ADDRESS, 8443))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))

    sock = bookinfo.cluster.outside.socket()
    sock.bind((OUTSIDE_ADDRESS, 3128))
    forward = await asyncio.start_server(connect, sock=sock)
    host = "forward.example.org"
    spec = {
        "hosts": [host],
        "resolution": "STATIC",
        "ports": [{"number": 3128, "name": "tcp", "protocol": "TCP"}],
        "addresses": ["240.0.9.7"],
    }
    tunnel = {"protocol": "CONNECT", "targetHost": SECURE, "targetPort": 443}
    match = [{"port": 443, "sniHosts": [SECURE]}]
    objects = (
        external({"number": 443, "name": "tls", "protocol": "TLS", "targetPort": 8443}),
        istio("ServiceEntry", "forward", {**spec, "endpoints": [{"address": OUTSIDE_ADDRESS}]}),
        istio("DestinationRule", "forward", {"host": host, "trafficPolicy": {"tunnel": tunnel}}),
        istio("VirtualService", "secure", {"hosts": [SECURE], "tls": [{"match": match, "route": [{"destination": {"host": host}}]}]}),
    )
    await bookinfo.cluster.apply(*objects)
    try:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a throw-away certificate
        async with bookinfo.cluster.client(bookinfo.client.netns).get(f"https://{SECURE}/", ssl=context) as response:
            assert await response.text() == "secure"
        assert wanted == [f"CONNECT {SECURE}:443 HTTP/1.1"]
        assert secure == [SECURE]
    finally:
        await bookinfo.cluster.delete(*map(key_of, objects))
        forward.close()


async def test_without_interception(bookinfo: BookinfoPods) -> None:
    """A sidecar that captures nothing listens where its Sidecar object says: for clients beside the application, for it on loopback."""
    spec = {
        "workloadSelector": {"labels": {"app": "bare"}},
        "ingress": [{"port": {"number": PORT, "name": "http", "protocol": "HTTP"}, "defaultEndpoint": f"127.0.0.1:{PORT}"}],
        "egress": [
            {
                "port": {"number": 9080, "name": "http", "protocol": "HTTP"},
                "bind": "127.0.0.1",
                "hosts": ["./ratings.default.svc.cluster.local"],
            }
        ],
    }
    bookinfo.cluster.add(istio("Sidecar", "bare", spec))
    pod = echo(bookinfo, "bare", "bare", "127.0.0.1", **{"sidecar.istio.io__interceptionMode": "NONE"})
    assert not [container for container in pod.raw["spec"].get("initContainers", ()) if container["name"] == "istio-init"]
    await bookinfo.cluster.start_pods(pod)
    try:
        assert await quote(bookinfo, f"http://{pod.address}:{PORT}/") == (200, "bare")
        session = bookinfo.cluster.client(pod.netns)
        async with session.get("http://127.0.0.1:9080/ratings/0", headers={"host": "ratings:9080"}) as response:
            assert (response.status, (await response.json())["workload"]) == (200, "ratings-v1")
        async with session.get("http://127.0.0.1:9080/details/0", headers={"host": "details:9080"}) as response:
            assert "details" not in await response.text()
    finally:
        await bookinfo.cluster.stop_pod(pod)
        await bookinfo.cluster.delete(("Sidecar", "default", "bare"))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
