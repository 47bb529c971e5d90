"""Sampled meshes and objects are accepted by real Envoys: nothing that admission lets pass and the compiler emits is refused."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict
from meshctl_operator.bootstrap.options import BootstrapOptions, XdsVariant
from meshctl_operator.controlplane.events import Nacked
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.model.proxies import Proxy
from meshctl_operator.sources.memory import MemorySource
from tests.support.envoy_process import EnvoyProcess
from tests.support.envoy_versions import BINARIES
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.batches import batch, valid_objects
from tests.support.strategies.meshes import MeshState, key_of, mesh_states
from tests.support.strategies.scopes import mesh_configs
from tests.support.world import PROXIES, settings_change

pytestmark = [pytest.mark.property, pytest.mark.envoy, pytest.mark.netns]

STATES = 60
OBJECTS = int(os.environ.get("ACCEPTED_OBJECTS", "300"))
"""2000 before a release."""
BATCH, A_FEW = 100, 10
FEW = st.lists(valid_objects(), min_size=A_FEW, max_size=A_FEW)  # one by one they would be much alike
SEED = int(os.environ.get("ACCEPTED_SEED", "20"))
T = TypeVar("T")


def sampled(strategy: SearchStrategy[T], count: int) -> list[T]:
    """Return values of a strategy, always the same."""
    found: list[T] = []

    @seed(SEED)
    @settings(max_examples=count, database=None, derandomize=False, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategy)
    def collect(value: T) -> None:
        found.append(value)

    collect()
    return found


class Served:
    """A control plane, and Envoys that hold what it serves."""

    def __init__(self, folder: Path) -> None:
        """Start nothing yet."""
        self._folder = folder
        self._source = MemorySource()
        self._held: dict[ObjectKey, JsonObject] = {}
        self._answers = Settings()
        self.plane = ControlPlane(self._answers, [self._source])

    async def start(self, stack: AsyncExitStack, proxies: Iterable[tuple[Proxy, Path]]) -> None:
        """Run the control plane and an Envoy, of a binary, for each proxy."""
        await stack.enter_async_context(self.plane)
        self._events = stack.enter_context(self.plane.events.subscribe())
        socket = self._folder / "xds.sock"
        await self.plane.serve(f"unix:{socket}")
        for proxy, binary in proxies:
            config: dict[str, Any] = to_dict(bootstrap(BootstrapOptions(proxy, variant=XdsVariant.DELTA)))
            (cluster,) = config["static_resources"]["clusters"]
            (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
            endpoint["endpoint"]["address"] = {"pipe": {"path": str(socket)}}
            await stack.enter_async_context(EnvoyProcess(config, self._folder / proxy.name, binary=binary, isolated=True))

    async def hold(self, state: MeshState) -> tuple[int, list[Nacked]]:
        """Serve another mesh; return how many resources the Envoys hold of it, and what they refused."""
        documents = {key_of(document): document for document in state.documents}
        self._source.delete(*(key for key in self._held if key not in documents))
        self._source.apply(settings_change(state.mesh).object, *documents.values())
        self._held = documents
        await self.plane.settled()
        for session in self.plane.sessions:
            assert session.settled, f"{session.proxy_id} has not answered"
            assert session.state is not None
        held = sum(len(names) for session in self.plane.sessions for names in session.held.values())
        return held, [event for event in self._events.take() if isinstance(event, Nacked)]


async def refused(folder: Path, proxies: Iterable[tuple[Proxy, Path]], states: Sequence[MeshState]) -> tuple[int, list[str]]:
    """Serve meshes one after the other; return how many resources were held in sum, and what was refused."""
    served, found = 0, list[str]()
    async with AsyncExitStack() as stack:
        envoys = Served(folder)
        await envoys.start(stack, proxies)
        for number, state in enumerate(states):
            held, nacks = await envoys.hold(state)
            served += held
            found += [f"mesh {number}, {nack.proxy}: {nack.detail} {sorted(map(str, nack.objects))}" for nack in nacks]
    return served, found


async def test_no_mesh_is_refused(tmp_path: Path) -> None:
    """A sidecar and a gateway accept sixty meshes, one after the other, and hold what they were served."""
    states = sampled(mesh_states(least=6, most=16), STATES)
    served, found = await refused(tmp_path, [(proxy, BINARIES["newest"]()) for proxy in PROXIES], states)
    assert not found, "\n".join(found)
    assert served > STATES * 20, "the sample is too poor to show anything"


async def test_no_valid_object_is_refused(tmp_path: Path) -> None:
    """What admission accepts, however odd, is accepted by the oldest and by the newest Envoy, by a hundred objects at once."""
    objects = [document for drawn in sampled(FEW, OBJECTS // A_FEW) for document in drawn]
    settings_of = sampled(mesh_configs(), OBJECTS // BATCH + 1)
    states = [MeshState(batch(objects[at : at + BATCH]), settings_of[at // BATCH]) for at in range(0, OBJECTS, BATCH)]
    proxies = [(replace(proxy, name=f"{proxy.name}-{end}"), binary()) for end, binary in BINARIES.items() for proxy in PROXIES]
    served, found = await refused(tmp_path, proxies, states)
    assert not found, "\n".join(found)
    assert served > OBJECTS * len(BINARIES) * 2, "the sample is too poor to show anything"
