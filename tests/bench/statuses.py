"""What status costs: a thousand objects applied in one burst to a real API server, until all of them say Programmed, and the writes it took.

Run as ``python -m tests.bench.statuses`` it prints the figures as JSON. The goal is below 30 seconds and two writes an object. With ``gap`` it
measures instead how long after its last acknowledgement a real Envoy still answers by the old rule: what ``MESHCTL_PROGRAMMED_DELAY`` is for.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from meshctl_operator.controlplane.events import Acked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.api_server import ApiServer, free_port
from tests.support.envoy_process import EnvoyProcess
from tests.support.load.control import ROOT
from tests.support.meshes import RawObject, istio, service
from tests.support.operator_process import next_event, serving
from tests.support.xds_client import XdsClient

SERVICES: Final = 500
PROXIES: Final = 3
HANDS: Final = 4
FLIPS: Final = 200


def burst(count: int = SERVICES) -> Iterator[RawObject]:
    """Yield a VirtualService and a DestinationRule for each service."""
    for number in range(count):
        name = f"s{number}"
        yield istio("VirtualService", name, {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]})
        yield istio("DestinationRule", name, {"host": name, "trafficPolicy": {"loadBalancer": {"simple": "RANDOM"}}})


def statuses(server: ApiServer) -> Counter[str]:
    """Return how many objects are programmed, or why they are not."""
    reasons: Counter[str] = Counter()
    for plural in ("virtualservices", "destinationrules"):
        for found in server.request("GET", f"/apis/networking.istio.io/v1/{plural}")["items"]:
            conditions = (found.get("status") or {}).get("conditions") or []
            reasons[next((entry["reason"] for entry in conditions if entry["type"] == "Programmed"), "none")] += 1
    return reasons


def writes(server: ApiServer) -> float:
    """Return how many requests changed a status so far, by the API server's own count."""
    answer = server.http().request("GET", f"{server.url}/metrics", headers=server._headers(), timeout=30.0)
    total = 0.0
    for line in answer.data.decode().splitlines():
        if line.startswith("apiserver_request_total{") and 'subresource="status"' in line and 'group="networking.istio.io"' in line:
            total += float(line.rpartition(" ")[2])
    return total


async def measure() -> dict[str, Any]:
    """Return the figures of a burst."""
    with tempfile.TemporaryDirectory(prefix="statuses-") as folder, ApiServer(Path(folder)) as server:
        server.kubectl("apply", "-f", str(ROOT / "crds"))
        server.kubectl("wait", "--for=condition=Established", "--timeout=20s", "-f", str(ROOT / "crds"))
        server.namespace("istio-system")
        objects = list(burst())
        with ThreadPoolExecutor(HANDS) as hands:
            list(hands.map(server.apply, (service(f"s{number}") for number in range(SERVICES))))
            with serving(server) as process:
                address = (await asyncio.to_thread(next_event, process))["xds"]
                await asyncio.to_thread(next_event, process, "synced")
                ids = [f"sidecar~10.0.0.{number}~p{number}.default~default.svc.cluster.local" for number in range(1, PROXIES + 1)]
                clients = [XdsClient(address, node_id=node) for node in ids]
                for client in clients:
                    await client.connect()
                    await client.follow()
                await asyncio.sleep(2.0)
                start = time.perf_counter()
                await asyncio.to_thread(lambda: list(hands.map(server.apply, objects)))
                applied = time.perf_counter() - start
                while True:
                    reasons = await asyncio.to_thread(statuses, server)
                    if reasons["Programmed"] == reasons.total():
                        break
                    await asyncio.sleep(0.25)
                done = time.perf_counter() - start
                await asyncio.sleep(3.0)
                count = await asyncio.to_thread(writes, server)
                for client in clients:
                    await client.close()
        return {
            "objects": len(objects),
            "proxies": PROXIES,
            "applied_seconds": round(applied, 2),
            "programmed_seconds": round(done, 2),
            "writes_per_object": round(count / len(objects), 2),
        }


async def gap() -> dict[str, Any]:
    """Return how long after the acknowledgement of an edit a real Envoy still answered by the rule before it, over many edits."""

    def answering(text: str) -> web.Application:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(text=text)

        application = web.Application()
        application.router.add_get("/", handle)
        return application

    port = free_port()
    runners, entries = {}, []
    for name in ("one", "two"):
        runners[name] = web.AppRunner(answering(name))
        await runners[name].setup()
        await web.TCPSite(runners[name], "127.0.0.1", 0).start()
        ports = [{"number": 80, "name": "http", "protocol": "HTTP", "targetPort": runners[name].addresses[0][1]}]
        spec = {"hosts": [f"{name}.test"], "ports": ports, "resolution": "STATIC", "endpoints": [{"address": "127.0.0.1"}]}
        entries.append(istio("ServiceEntry", name, spec))
    servers = [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}]
    gateway = istio("Gateway", "gw", {"selector": {"app": "gw"}, "servers": servers})

    def rule(name: str) -> RawObject:
        route = [{"destination": {"host": f"{name}.test", "port": {"number": 80}}}]
        return istio("VirtualService", "rule", {"hosts": ["*"], "gateways": ["gw"], "http": [{"route": route}]})

    source = MemorySource(*entries, gateway, rule("one"))
    stale: list[float] = []
    async with ControlPlane(Settings(), [source]) as plane:
        bootstrap = ads_bootstrap(await plane.serve("127.0.0.1:0"), "router~127.0.0.1~gw.default~default.svc.cluster.local", ["cds", "lds"])
        bootstrap["node"]["metadata"] = {"LABELS": {"app": "gw"}, "NAMESPACE": "default"}
        with tempfile.TemporaryDirectory(prefix="gap-") as folder:
            async with EnvoyProcess(bootstrap, Path(folder)) as envoy, aiohttp.ClientSession() as http:

                async def answer() -> str:
                    try:
                        async with http.get(f"http://127.0.0.1:{port}/") as response:
                            return await response.text()
                    except aiohttp.ClientError:
                        return ""

                async def serves() -> bool:
                    return await answer() == "one"

                await envoy.wait_until(serves, "it serves")
                await plane.settled()
                for flip in range(FLIPS):
                    expected = ("two", "one")[flip % 2]
                    with plane.events.subscribe(Acked) as acks:
                        source.apply(rule(expected))
                        async for event in acks:
                            if isinstance(event, Acked) and event.type in {"RDS", "VHDS"} and event.resources:
                                break
                    acked = last = time.perf_counter()
                    while await answer() != expected:
                        last = time.perf_counter()
                    stale.append((last - acked) * 1000)
                    await plane.settled()
    for runner in runners.values():
        await runner.cleanup()
    stale.sort()
    late = [each for each in stale if each > 0]
    return {
        "edits": FLIPS,
        "still_old_after_ack": len(late),
        "p99_ms": round(stale[int(FLIPS * 0.99) - 1], 2),
        "max_ms": round(stale[-1], 2),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(gap() if sys.argv[1:] == ["gap"] else measure())))
