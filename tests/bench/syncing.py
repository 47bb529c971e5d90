"""What it costs to take in a cluster: 10,000 endpoints and 2,000 routing objects from a real API server, until proxies may be served.

Run as ``python -m tests.bench.syncing`` it fills an API server, syncs a fresh process with it, and prints the figures as JSON. The goal is
below 15 seconds and 400 MB.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from meshctl_operator.controlplane.events import Synced
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.kube.settings import KubeSettings
from meshctl_operator.kube.source import KubernetesSource
from tests.support.api_server import api_server
from tests.support.load.control import ROOT
from tests.support.load.machine import memory_mib
from tests.support.meshes import RawObject, endpoints, istio, service, virtual_service

SERVICES: Final = 1000
ADDRESSES: Final = 10  # of each service


def objects(services: int = SERVICES) -> Iterator[RawObject]:
    """Yield the cluster: for each service its endpoints, a VirtualService and a DestinationRule."""
    for number in range(services):
        name = f"s{number}"
        addresses = [f"10.{number // 250}.{number % 250}.{last}" for last in range(1, ADDRESSES + 1)]
        yield service(name)
        yield endpoints(name, *addresses)
        yield virtual_service(name, name)
        yield istio("DestinationRule", name, {"host": name, "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}}})


async def sync(kubeconfig: str) -> dict[str, Any]:
    """Return what the first sync of this process costs."""
    before, cpu, start = memory_mib([os.getpid()]), time.process_time(), time.perf_counter()
    plane = ControlPlane(Settings(own_process=True), [KubernetesSource(KubeSettings(kubeconfig=kubeconfig))])
    with plane.events.subscribe(Synced) as events:
        async with plane:
            await anext(events)
            return {
                "objects": plane.objects,
                "seconds": round(time.perf_counter() - start, 2),
                "cpu_seconds": round(time.process_time() - cpu, 2),
                "rss_mib": round(memory_mib([os.getpid()]), 1),
                "rss_growth_mib": round(memory_mib([os.getpid()]) - before, 1),
                "loop_lag_max_ms": round(plane.telemetry.loop_lag_max.value * 1000, 1),
            }


def sync_apart(services: int = SERVICES) -> dict[str, Any]:
    """Fill an API server and return the figures of a fresh process."""
    with tempfile.TemporaryDirectory() as folder, api_server(Path(folder)) as server:
        for given in objects(services):
            server.apply(given)
        command = [sys.executable, "-m", "tests.bench.syncing", str(server.kubeconfig())]
        run = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
        figures: dict[str, Any] = json.loads(run.stdout)
        return {"services": services, "endpoints": services * ADDRESSES, "routing_objects": 2 * services, **figures}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(sync(sys.argv[1])) if len(sys.argv) > 1 else sync_apart()))
