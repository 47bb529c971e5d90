"""Order does not matter: not that of arrival, nor that of sets and dicts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.strategies.meshes import MeshState, mesh_states
from tests.support.world import FLEET, World, changes_of, contents, fingerprint, settings_change, world_of

pytestmark = pytest.mark.property

ROOT = Path(__file__).parents[2]
SAMPLES = 12
SEEDS = ("0", "1", "4242")


@given(state=mesh_states(), data=st.data())
def test_permutations_of_one_state_are_equal(state: MeshState, data: st.DataObject) -> None:
    """Any order of arrival gives the same bytes, provenance and diagnostics."""
    other = state.but(documents=tuple(data.draw(st.permutations(state.documents))))
    one, two = world_of(state), world_of(other)
    for proxy in FLEET:
        assert contents(one.compile(proxy)) == contents(two.compile(proxy))
    assert one.findings() == two.findings()


@settings(max_examples=settings().max_examples // 2)
@given(state=mesh_states(), data=st.data())
def test_the_order_of_arrival_one_by_one_does_not_matter(state: MeshState, data: st.DataObject) -> None:
    """Objects that come one at a time, while proxies ask, end in the same bytes; so does asking in another order."""
    world = World()
    world.apply(settings_change(state.mesh))
    for change in changes_of(data.draw(st.permutations(state.documents))):
        world.apply(change)
        world.compile(data.draw(st.sampled_from(FLEET)))
    fresh = world_of(state)
    for proxy in data.draw(st.permutations(FLEET)):
        assert contents(world.compile(proxy)) == contents(fresh.compile(proxy))


def _samples() -> list[MeshState]:
    """Return always the same large meshes."""
    states: list[MeshState] = []

    @seed(7)
    @settings(max_examples=SAMPLES, database=None, derandomize=False, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(mesh_states(least=8, most=20))
    def collect(state: MeshState) -> None:
        states.append(state)

    collect()
    return states


def test_hash_seeds_do_not_matter(tmp_path: Path) -> None:
    """Processes whose sets and dicts are ordered differently give the same bytes."""
    file = tmp_path / "states.json"
    states = _samples()
    file.write_text(json.dumps([{"documents": state.documents, "mesh": state.mesh} for state in states]))
    outputs: dict[str, Any] = {}
    for hash_seed in SEEDS:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [sys.executable, "-m", "tests.support.world", file], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        outputs[hash_seed] = json.loads(ran.stdout)
    here = [fingerprint(state) for state in states]
    assert all(output == here for output in outputs.values()), outputs
    assert len(set(here)) > SAMPLES // 2, "the sample is too poor to show anything"
