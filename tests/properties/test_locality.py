"""A change stays where it belongs: what was not computed from an object does not change with it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.model.proxies import Proxy
from tests.support.strategies.kubernetes import endpoint_slices, pods
from tests.support.strategies.meshes import MeshState, edited, is_accepted, key_of, mesh_states
from tests.support.world import PROXIES, changes_of, compiled, resources_of, world_of

pytestmark = pytest.mark.property


@given(state=mesh_states(), data=st.data(), proxy=st.sampled_from(PROXIES))
def test_only_what_comes_from_an_object_changes_with_it(state: MeshState, data: st.DataObject, proxy: Proxy) -> None:
    """Resources that were computed without an object, before and after it changed, keep their bytes."""
    old = data.draw(st.sampled_from(state.documents))
    new = data.draw(edited(old, (("spec",), ("endpoints",), ("stringData",))))
    assume(new != old)
    before, after = (resources_of(compiled(found, proxy)) for found in (state, state.replaced(new)))
    for place in before.keys() & after.keys():
        if key_of(old) not in before[place].provenance and key_of(old) not in after[place].provenance:
            assert before[place].body == after[place].body, f"{place} changed with {key_of(old)}, which is not in its provenance"
