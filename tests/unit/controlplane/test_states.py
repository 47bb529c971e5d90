"""Proxies of one profile share one state, and what did not change for them is the very object that it was."""

from __future__ import annotations

import pytest

from meshctl_operator.base.shards import EMPTY_MAP, ShardedMap
from meshctl_operator.compiler.compiler import Profile
from meshctl_operator.compiler.resources import CompiledProxy, Resources, compiled_resource
from meshctl_operator.controlplane.states import StateTable
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.views import EndpointView, OutboundView
from meshctl_operator.xds.resources import TypeUrl

C, R, S = TypeUrl.CLUSTER, TypeUrl.ROUTE, TypeUrl.SECRET
SHOP, OTHER = (Profile(OutboundView(ProxyRole.SIDECAR, name, ""), EndpointView()) for name in ("shop", "other"))


def resources(type_url: TypeUrl, **bodies: bytes) -> Resources:
    """Return resources by name."""
    return ShardedMap.of({name: compiled_resource(type_url, name, body) for name, body in bodies.items()})


def compiled(**types: Resources) -> CompiledProxy:
    """Return what a proxy holds; types that are not named are empty."""
    return CompiledProxy({type_url: types.get(type_url.name.lower(), EMPTY_MAP) for type_url in TypeUrl}, ())


def test_a_profile_has_one_state() -> None:
    """Whatever the number of its proxies; another profile has its own."""
    table, held = StateTable(), compiled(cluster=resources(C, c1=b"x"))
    state = table.state(1, SHOP, held)
    assert table.state(1, SHOP, held) is state
    assert table.state(5, SHOP, held) is state
    assert state.revision == 1
    assert table.state(5, OTHER, held) is not state
    assert len(table) == 2


def test_a_type_that_does_not_differ_keeps_its_mapping() -> None:
    """So that streams skip it without a look inside."""
    table, clusters = StateTable(), resources(C, c1=b"x")
    old = table.state(1, SHOP, compiled(cluster=clusters, route=resources(R, r1=b"y")))
    new = table.state(2, SHOP, compiled(cluster=clusters, route=resources(R, r1=b"z")))
    assert new.of(C) is old.of(C)
    assert new.of(R)["r1"].body == b"z"
    assert (old.revision, new.revision) == (1, 2)


def test_what_is_served_alike_keeps_its_state() -> None:
    """New findings alone wake no stream."""
    table, clusters = StateTable(), resources(C, c1=b"x")
    state = table.state(1, SHOP, compiled(cluster=clusters))
    assert table.state(2, SHOP, compiled(cluster=clusters)) is state


@pytest.mark.parametrize("type_url", [C, R, S], ids=lambda type_url: type_url.short)
def test_the_first_resource_of_a_type_is_served(type_url: TypeUrl) -> None:
    """A type that was empty until now makes a new state, as any other change does; so does one that becomes empty."""
    table, found = StateTable(), resources(type_url, first=b"x")
    listeners = resources(TypeUrl.LISTENER, x=b"l")
    table.state(1, SHOP, compiled(listener=listeners))
    there = table.state(2, SHOP, compiled(listener=listeners, **{type_url.name.lower(): found}))
    assert there.of(type_url) is found
    assert there.revision == 2
    gone = table.state(3, SHOP, compiled(listener=listeners))
    assert not gone.of(type_url)
    assert gone.revision == 3


def test_empty_mappings_are_alike() -> None:
    """Nothing instead of nothing is no change, whichever object says so."""
    table, clusters = StateTable(), resources(C, c1=b"x")
    state = table.state(1, SHOP, compiled(cluster=clusters, route=ShardedMap.of({})))
    assert table.state(2, SHOP, compiled(cluster=clusters, route=ShardedMap.of({}))) is state


def test_profiles_that_nobody_asks_for_are_forgotten() -> None:
    """Proxies come and go; their states do not stay."""
    table, held = StateTable(), compiled(cluster=resources(C, c1=b"x"))
    table.state(1, SHOP, held)
    other = table.state(1, OTHER, held)
    table.state(4, OTHER, held)
    table.forget(3)
    assert len(table) == 1
    assert table.state(5, OTHER, held) is other
