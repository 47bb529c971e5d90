"""Sharing never shows: what is compiled once for all strangers to a host is what each of them would have got by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import outbound
from meshctl_operator.compiler.plan import gateway_routes, http_routes, outbound_listeners, sidecar_hosts
from meshctl_operator.compiler.plan.clusters import clients
from meshctl_operator.compiler.plan.endpoints import EndpointReach
from meshctl_operator.compiler.plan.http_routes import RouteTarget
from meshctl_operator.incremental.context import Context
from meshctl_operator.model import vantage
from meshctl_operator.model.scopes import scope_shard
from meshctl_operator.model.services import Service
from meshctl_operator.model.views import EndpointView, OutboundView
from tests.support.strategies.meshes import MeshState, crowded_states, edited, mesh_states
from tests.support.world import FLEET, OUTSIDER, World, changes_of, contents, world_of

pytestmark = pytest.mark.property

EVERYBODY = frozenset(proxy.namespace for proxy in FLEET)


class Unshared(http_routes.Targets):
    """Targets that are never narrowed."""

    def __init__(self, ctx: Context, proxy: RouteTarget) -> None:
        super().__init__(ctx, proxy)
        self._whole = proxy

    def for_rules(self, key: ObjectKey) -> RouteTarget:
        """Return the target of the proxy as it is."""
        assert key
        return self._whole

    def for_host(self, host: str) -> RouteTarget:
        """Return the target of the proxy as it is."""
        assert host
        return self._whole


def _insiders(_ctx: Context, _host: str) -> frozenset[str]:
    return EVERYBODY


def _own_view(_ctx: Context, view: OutboundView, _stranger: OutboundView, _service: Service, _insiders: frozenset[str]) -> OutboundView:
    return view


def _own_place(_reach: EndpointReach, where: EndpointView) -> EndpointView:
    return where


def _own_look(ctx: Context, view: OutboundView, number: int) -> outbound._Look:
    own, _ = clients(view)
    return outbound._Look(own=tuple((own, service) for service in ctx.derive(scope_shard, view, number)))


@contextmanager
def unshared() -> Iterator[None]:
    """Make the compiler compile for each proxy by itself: every namespace is an insider, no view and no place is narrowed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vantage, "insiders", _insiders)
        patch.setattr(EndpointReach, "narrowed", _own_place)
        patch.setattr(outbound, "_look", _own_look)
        patch.setattr(outbound_listeners, "concerned_view", _own_view)
        for module in (gateway_routes, sidecar_hosts):
            patch.setattr(module, "Targets", Unshared)
        yield


def _compare(state: MeshState, world: World) -> None:
    """Every proxy holds in a world that shares what it holds in worlds of its own that do not."""
    shared = [world.compile(proxy) for proxy in FLEET]
    with unshared():
        alone = [world_of(state).compile(proxy) for proxy in FLEET]
    for proxy, one, other in zip(FLEET, shared, alone, strict=True):
        assert contents(one) == contents(other), f"{proxy.name} of {proxy.namespace}"


@given(state=st.one_of(mesh_states(), crowded_states()), backwards=st.booleans())
def test_sharing_does_not_show(state: MeshState, *, backwards: bool) -> None:
    """Bytes, provenance and findings are those of a compiler that shares nothing, whoever was compiled first."""
    world = world_of(state)
    for proxy in reversed(FLEET) if backwards else FLEET:
        world.compile(proxy)
    _compare(state, world)


@given(state=crowded_states(), data=st.data())
def test_sharing_does_not_show_after_a_change(state: MeshState, data: st.DataObject) -> None:
    """Who becomes an insider, or stops being one, gets what a new compiler without sharing gives."""
    world = world_of(state)
    for proxy in FLEET:
        world.compile(proxy)
    old = data.draw(st.sampled_from(state.documents))
    new = data.draw(edited(old))
    assume(new != old)
    world.apply(*changes_of([new]))
    _compare(state.replaced(new), world)


@settings(max_examples=settings().max_examples // 2)
@given(state=crowded_states())
def test_strangers_share(state: MeshState) -> None:
    """Of two strangers to everything the second one compiles no cluster, endpoints or virtual host, if no Sidecar limits it."""
    documents = tuple(document for document in state.documents if document["kind"] != Kind.SIDECAR)
    world = world_of(state.but(documents=documents))
    world.compile(OUTSIDER)
    world.engine.take_statistics()
    world.compile(replace(OUTSIDER, name="other", namespace="elsewhere-2"))
    ran = world.engine.take_statistics().recomputed
    roots = state.mesh.get("rootNamespace") == OUTSIDER.namespace
    assert roots or not {"_service_clusters", "_service_endpoints", "_routes"} & ran.keys()
