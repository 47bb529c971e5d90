"""A change stays where it belongs: what was not computed from an object does not change with it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.compiler import compiler, outbound, routes
from meshctl_operator.model.proxies import Proxy
from tests.support.strategies.alphabet import JsonObject
from tests.support.strategies.kubernetes import endpoint_slices, pods
from tests.support.strategies.meshes import MeshState, edited, is_accepted, key_of, mesh_states, shares_hosts
from tests.support.world import FLEET, changes_of, compiled, resources_of, world_of

pytestmark = pytest.mark.property


@given(state=mesh_states(), data=st.data(), proxy=st.sampled_from(FLEET))
def test_only_what_comes_from_an_object_changes_with_it(state: MeshState, data: st.DataObject, proxy: Proxy) -> None:
    """Resources that were computed without an object, before and after it changed, keep their bytes."""
    old = data.draw(st.sampled_from(state.documents))
    new = data.draw(edited(old))
    assume(new != old)
    assume(not shares_hosts(old, state) and not shares_hosts(new, state))
    before, after = (resources_of(compiled(found, proxy)) for found in (state, state.replaced(new)))
    for place in before.keys() & after.keys():
        if key_of(old) not in before[place].provenance and key_of(old) not in after[place].provenance:
            assert before[place].body == after[place].body, f"{place} changed with {key_of(old)}, which is not in its provenance"


EMITTERS = {
    *(fn.__name__ for fn in (*outbound.LEAVES, *routes.LEAVES, *routes.TABLES, *compiler.LEAVES)),
    "_sidecar_part",
    "_gateway_part",
    "_routes",
}
"""The derivations that emit something; those that plan are named ``plan_...``."""
FOR_ENDPOINTS = {"_service_endpoints", "plan_endpoints"}
A_PROXY = 24
"""The most derivations that run for each proxy when one EndpointSlice changes, whatever the size of the mesh."""


@given(state=mesh_states(), data=st.data())
def test_endpoints_concern_endpoint_resources_alone(state: MeshState, data: st.DataObject) -> None:
    """A slice or the address of a pod changes: no cluster, listener, route or secret is planned or emitted again.

    Services without a virtual address are left out: traffic for them goes to the addresses of their endpoints, so listeners and
    domains name those.
    """
    state = state.but(documents=tuple(document for document in state.documents if not _has_no_address(document)))
    new = data.draw(st.one_of(endpoint_slices(), pods()).filter(is_accepted))
    old = next((document for document in state.documents if key_of(document) == key_of(new)), None)
    if new["kind"] == Kind.POD:  # pods that come and go decide whose inbound listeners there are; those that move do not
        assume(old is not None)
        assert old is not None
        new = {**old, "status": new["status"]}
    world = world_of(state)
    before = {proxy: world.compile(proxy) for proxy in FLEET}
    world.engine.take_statistics()
    world.apply(*changes_of([new]))
    after = {proxy: world.compile(proxy) for proxy in FLEET}
    ran = world.engine.take_statistics().recomputed
    again = {name for name in ran if name in EMITTERS or name.startswith("plan_")} - FOR_ENDPOINTS
    assert not again, f"{key_of(new)} made {sorted(again)} run"
    assert all(before[proxy].diagnostics == after[proxy].diagnostics for proxy in FLEET)
    if new["kind"] == Kind.ENDPOINT_SLICE:
        assert sum(ran.values()) <= A_PROXY * len(FLEET), ran


def _has_no_address(document: JsonObject) -> bool:
    """Tell whether the document is a service without a virtual address."""
    match document["kind"]:
        case Kind.SERVICE:
            return bool(document["spec"].get("clusterIP") == "None")
        case Kind.SERVICE_ENTRY:
            return bool(document["spec"]["resolution"] == "NONE")
        case _:
            return False
