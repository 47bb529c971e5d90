"""The simulation foresees what a real Envoy does, for random configurations and requests. Where they differ, Envoy is right.

``SIMULATION_SEED`` and ``SIMULATION_REQUESTS`` give other and more of them.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from meshctl_operator.simulation import Request
from tests.support.agreement import Case, ask, cases_of, disagreement, envoy_for
from tests.support.envoy_versions import BINARIES
from tests.support.route_requests import request_for
from tests.support.simulations import served_config
from tests.support.strategies.meshes import MeshState
from tests.support.strategies.scenes import scenes
from tests.support.world import PROXIES, world_of

pytestmark = pytest.mark.envoy

SEED = int(os.environ.get("SIMULATION_SEED", "7"))
REQUESTS = int(os.environ.get("SIMULATION_REQUESTS", "1000"))
SCENES = max(REQUESTS // 25, 1)
CONCURRENCY = 16


def sampled(count: int, number: int) -> list[MeshState]:
    """Return always the same scenes for a seed."""
    found: list[MeshState] = []

    @seed(number)
    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(scenes())
    def collect(state: MeshState) -> None:
        found.append(state)

    collect()
    return found


def pairs(cases: list[Case], rng: Random, count: int) -> list[tuple[int, Request]]:
    """Return requests for the cases, more for those with more routes."""
    routes = [1 + sum(len(host.routes) for host in case.route.virtual_hosts) for case in cases]
    return [(number, request_for(cases[number].route, rng)) for number in rng.choices(range(len(cases)), routes, k=count)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", sorted(BINARIES))
async def test_routes(version: str, tmp_path: Path) -> None:
    """Same route, same cluster, same path and headers at the upstream, same answers, for a thousand pairs of configuration and request.

    The oldest Envoy is asked a quarter of them.
    """
    rng = Random(SEED)  # noqa: S311  (repeatable on purpose)
    cases: list[Case] = []
    for state in sampled(SCENES, SEED):
        world = world_of(state)
        for proxy in PROXIES:
            cases += cases_of(served_config(world.compile(proxy)))
    asked = pairs(cases, rng, REQUESTS if version == "newest" else REQUESTS // 4)
    found: list[str] = []
    kinds: dict[int, int] = {}
    async with envoy_for(cases, tmp_path, BINARIES[version]()) as ports:
        limit = asyncio.Semaphore(CONCURRENCY)

        async def compare(number: int, request: Request) -> None:
            async with limit:
                seen = await ask(ports[number], request)
            kinds[seen.status] = kinds.get(seen.status, 0) + 1
            if wrong := disagreement(cases[number], request, seen):
                found.append(f"case {number} {request}: {wrong}")

        async with asyncio.TaskGroup() as group:
            for number, request in asked:
                group.create_task(compare(number, request))
    assert not found, f"{len(found)} of {len(asked)} differ ({kinds}):\n" + "\n".join(found[:20])
    assert kinds.get(200, 0) > len(asked) // 3, f"the sample is too poor to show anything: {kinds}"
