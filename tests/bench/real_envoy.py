"""How soon a real Envoy among simulated ones serves by a changed route: from the rename of a file to the first HTTP answer that shows it."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.bench.scenario import Plan, Scenario
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.envoy_process import EnvoyProcess
from tests.support.load.mesh import PORT, RawObject
from tests.support.load.tally import spread

_ASK_EVERY: Final = 0.004  # asking costs CPU that Envoy and the server need meanwhile
_TIMEOUT: Final = 20.0


async def served_figures(plan: Plan, folder: Path, edits: int) -> dict[str, Any]:
    """Return the figures of ``edits`` changes of a route of a mesh, seen through one real sidecar among ``plan.clients`` simulated ones."""
    with Scenario(plan, folder / "load") as scenario:
        number = scenario.mesh.public(7)
        scenario.config.put(_answering(scenario, number, "0"))
        scenario.cold("E0")
        port = _free_port()
        begun = time.perf_counter()
        async with (
            EnvoyProcess(_bootstrap(scenario.server.xds, port), folder / "envoy", timeout=60) as envoy,
            aiohttp.ClientSession() as http,
        ):
            live = time.perf_counter() - begun
            url, headers = f"http://127.0.0.1:{port}/", {"Host": f"{scenario.mesh.host(number)}:{PORT}"}
            await _until(http, url, headers, "0")
            taken = []
            for edit in range(1, edits + 1):
                names = scenario.config.prepare([_answering(scenario, number, str(edit))])
                start = time.perf_counter()
                scenario.config.place(*names)
                taken.append(await _until(http, url, headers, str(edit)) - start)
                await asyncio.sleep(0.3)  # edits of a person, not a storm
            rejected = await envoy.stats(r"update_rejected")
    return {"edits": edits, "served_ms": spread(taken), "envoy_live_s": round(live, 2), "rejected": sum(rejected.values())}


async def _until(http: aiohttp.ClientSession, url: str, headers: dict[str, str], body: str) -> float:
    """Ask until the answer is the body; returns when that was."""
    deadline = time.perf_counter() + _TIMEOUT
    while True:
        async with http.get(url, headers=headers) as response:
            text = await response.text()
        now = time.perf_counter()
        if text == body:
            return now
        if now > deadline:
            raise TimeoutError(f'Envoy still answers {response.status} "{text}" instead of "{body}"')
        await asyncio.sleep(_ASK_EVERY)


def _answering(scenario: Scenario, number: int, body: str) -> RawObject:
    """Return the VirtualService of a service whose every request is answered with a text, so that no upstream takes part."""
    document = scenario.mesh.virtual_service(number)
    document["spec"]["http"] = [{"directResponse": {"status": 200, "body": {"string": body}}}]
    return document


def _bootstrap(server: str, port: int) -> dict[str, Any]:
    """Return the bootstrap of a sidecar of the local mesh, which takes outbound requests on its HTTP proxy port."""
    bootstrap = ads_bootstrap(server, "sidecar~127.0.0.1~real-1.team-5~team-5.svc.cluster.local", ["cds", "lds"])
    bootstrap["node"]["metadata"] = {
        "NAMESPACE": "team-5",
        "NAME": "real-1",
        "LABELS": {"app": "real"},
        "HTTP_PROXY_PORT": str(port),
        "MESHCTL_LOCAL": {"address": "127.0.0.1", "ports": {}, "app_ports": {}},
    }
    return bootstrap


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
