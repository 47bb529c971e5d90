"""One bad object never hurts another: it is left out, or served as far as it can be read, and all else stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshctl_operator.apis.changes import Change, Rejected, Upsert
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.diagnostics import Severity
from meshctl_operator.model.proxies import Proxy
from tests.support.strategies.meshes import MeshState, mesh_states
from tests.support.strategies.mistakes import broken_documents
from tests.support.strategies.scopes import mesh_configs
from tests.support.world import FLEET, change_of, resources_of, settings_change, world_of

pytestmark = pytest.mark.property


@settings(max_examples=2 * settings().max_examples)
@given(state=mesh_states(least=3, most=8), bad=broken_documents("bad"), proxy=st.sampled_from(FLEET), validate=st.booleans())
def test_a_bad_object_does_not_hurt_others(state: MeshState, bad: Any, proxy: Proxy, *, validate: bool) -> None:
    """Nothing raises; a rejected object changes nothing at all, any other only what it has part in."""
    world = world_of(state)
    before = world.compile(proxy)
    change = change_of(bad, validate=validate)
    assert change is not None
    world.apply(change)
    after = world.compile(proxy)
    if isinstance(change, Rejected):
        assert after == before
        return
    if _displaces(change, state):
        return
    old, new = resources_of(before), resources_of(after)
    for place in old.keys() & new.keys():
        if change.key not in new[place].provenance:
            assert new[place] == old[place], f"{place} changed, but was not computed from {change.key}"


def _displaces(change: Change, state: MeshState) -> bool:
    """Tell whether the object declares a host that another one declares too.

    The one that loses takes its ports along, so a route table may miss a host in which the winner never had part.
    """
    if not isinstance(change, Upsert) or change.key.kind != Kind.SERVICE_ENTRY:
        return False
    others = (document["spec"].get("hosts", ()) for document in state.documents if document["kind"] == Kind.SERVICE_ENTRY)
    return bool(set(change.object.spec.hosts) & {host for hosts in others for host in hosts})


@given(state=mesh_states(least=3, most=8), data=st.data())
def test_broken_all_over(state: MeshState, data: st.DataObject) -> None:
    """A mesh of nothing but broken objects compiles, and findings name objects that exist."""
    bad = data.draw(st.lists(broken_documents(), min_size=2, max_size=6))
    world = world_of(state)
    world.apply(*(change for document in bad if (change := change_of(document, validate=False)) is not None))
    world.apply(settings_change(data.draw(mesh_configs())))
    for proxy in FLEET:
        held = world.compile(proxy)
        assert all(str(finding) for finding in held.diagnostics)
        assert all(finding.severity in Severity for finding in held.diagnostics)
    assert all(str(finding) for finding in world.findings())
