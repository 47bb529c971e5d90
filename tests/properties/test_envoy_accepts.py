"""Sampled meshes are accepted by a real Envoy: nothing that the compiler emits is refused."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.sources.memory import MemorySource
from tests.support.envoy_process import EnvoyProcess
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.meshes import MeshState, key_of, mesh_states
from tests.support.world import PROXIES, settings_change

pytestmark = [pytest.mark.property, pytest.mark.envoy, pytest.mark.netns]

STATES = 60


def sampled_states(count: int) -> list[MeshState]:
    """Return always the same meshes."""
    states: list[MeshState] = []

    @seed(20)
    @settings(max_examples=count, database=None, derandomize=False, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(mesh_states(least=6, most=16))
    def collect(state: MeshState) -> None:
        states.append(state)

    collect()
    return states


async def test_no_mesh_is_refused(tmp_path: Path) -> None:
    """A sidecar and a gateway accept sixty meshes, one after the other, and hold what they were served."""
    source = MemorySource()
    plane = ControlPlane(Settings(), [source])
    states = sampled_states(STATES)
    refused: list[tuple[int, str, str]] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(plane)
        events = stack.enter_context(plane.events.subscribe())
        socket = tmp_path / "xds.sock"
        await plane.serve(f"unix:{socket}")
        for proxy in PROXIES:
            config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy, variant=XdsVariant.DELTA)))
            (cluster,) = config["static_resources"]["clusters"]
            (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
            endpoint["endpoint"]["address"] = {"pipe": {"path": str(socket)}}
            await stack.enter_async_context(EnvoyProcess(config, tmp_path / proxy.name, isolated=True))
        held: dict[ObjectKey, JsonObject] = {}
        served = 0
        for number, state in enumerate(states):
            documents = {key_of(document): document for document in state.documents}
            source.delete(*(key for key in held if key not in documents))
            source.apply(settings_change(state.mesh).object, *documents.values())
            held = documents
            await plane.settled()
            for session in plane.sessions:
                assert session.settled, f"mesh {number}: {session.proxy_id} has not answered"
                assert session.state is not None
                served += sum(map(len, (session.held[type_url] for type_url in session.held)))
            refused += [(number, event.proxy, event.detail) for event in events.take() if isinstance(event, Nacked)]
    assert not refused, "\n".join(f"mesh {number}, {proxy}: {message}" for number, proxy, message in refused)
    assert served > STATES * 20, "the sample is too poor to show anything"
