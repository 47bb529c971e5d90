"""The work of compiling for a proxy in small steps, so that a long compilation gives way to everything else on the loop.

Nothing here decides what is compiled: each step brings something up to date that the compilation as a whole will ask for. Leaving all of
them out gives the same result later, in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.compiler.compiler import compile_profile, profile, router_listeners, sidecar_listeners
from meshctl_operator.compiler.outbound import cluster_shard, endpoint_map, endpoint_shard, outbound_clusters, shard_reach, view_reach
from meshctl_operator.compiler.plan.gateway_routes import plan_gateway_table
from meshctl_operator.compiler.plan.http_rules import plan_http_rules
from meshctl_operator.compiler.plan.outbound_listeners import contributions_of_shard, listeners_of
from meshctl_operator.compiler.plan.sidecar_hosts import plan_hosts, routed_of_shard
from meshctl_operator.compiler.plan.sidecar_routes import plan_sidecar_hosts, route_view
from meshctl_operator.compiler.plan.virtual_service_findings import virtual_service_findings
from meshctl_operator.compiler.routes import gateway_route, gateway_shard, sidecar_route, sidecar_shard
from meshctl_operator.incremental.context import Context
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model import projection
from meshctl_operator.model.proxies import Proxy, ProxyRole
from meshctl_operator.model.services import services, services_of
from meshctl_operator.model.vantage import insiders_of_shard
from meshctl_operator.model.views import GatewayView, OutboundView
from meshctl_operator.model.virtual_services import route_reach
from meshctl_operator.registry.cells import Cell, Table


def compile_steps(engine: Engine, proxy: Proxy) -> Iterator[None]:
    """Do the work of ``compile_proxy`` step by step; nothing at all where it is done already."""
    if engine.is_current(profile, proxy) and engine.is_current(compile_profile, engine.evaluate(profile, proxy)):
        return
    yield from _model_steps(engine)
    view = engine.evaluate(projection.outbound_view, proxy)
    if not engine.is_current(outbound_clusters, view):
        yield from _shard_steps(engine, cluster_shard, view)
    if not engine.is_current(view_reach, view):
        yield from _shard_steps(engine, shard_reach, view)
    where = engine.evaluate(view_reach, view).narrowed(projection.endpoint_view(proxy))
    if not engine.is_current(endpoint_map, view, where):
        yield from _shard_steps(engine, endpoint_shard, view, where)
    if proxy.role is ProxyRole.SIDECAR:
        yield from _sidecar_steps(engine, view)
    else:
        yield from _router_steps(engine, projection.gateway_view(proxy))
    engine.warm(compile_profile, engine.evaluate(profile, proxy))
    yield


def _sidecar_steps(engine: Engine, view: OutboundView) -> Iterator[None]:
    if not engine.is_current(sidecar_listeners, view):
        for index, _ in enumerate(engine.evaluate(listeners_of, view)):
            yield from _shard_steps(engine, contributions_of_shard, view if view.sidecar is None else replace(view, listener=index))
    for name in engine.evaluate(sidecar_listeners, view).value.routes:
        asked = engine.evaluate(route_view, view, name)
        if asked is not None and asked[1].port and not engine.is_current(plan_hosts, asked[0], asked[1].port):
            yield from _shard_steps(engine, routed_of_shard, asked[0], asked[1].port)
        if engine.warm(plan_sidecar_hosts, view, name):
            yield
        if not engine.is_current(sidecar_route, view, name):
            yield from _shard_steps(engine, sidecar_shard, view, name)


def _router_steps(engine: Engine, view: GatewayView) -> Iterator[None]:
    for name in engine.evaluate(router_listeners, view).value.routes:
        if engine.warm(plan_gateway_table, view, name):
            yield
        if not engine.is_current(gateway_route, view, name):
            yield from _shard_steps(engine, gateway_shard, view, name)


def _shard_steps(engine: Engine, shard: Callable[..., Any], *params: Hashable) -> Iterator[None]:
    for number in range(SHARDS):
        if engine.warm(shard, *params, number):
            yield


def finding_steps(engine: Engine) -> Iterator[None]:
    """Do the work of ``mesh_findings`` step by step."""
    yield from _model_steps(engine)
    for key in engine.evaluate(_keys, Table.VIRTUAL_SERVICES):
        if engine.warm(virtual_service_findings, key):
            yield


def _model_steps(engine: Engine) -> Iterator[None]:
    """Read every service and every VirtualService, unless that is done."""
    if not engine.is_current(services):
        for key in engine.evaluate(_keys, Table.SERVICES):
            if engine.warm(services_of, key):
                yield
        engine.warm(services)
        yield
    for number in range(SHARDS):
        if engine.warm(insiders_of_shard, number):
            yield
    for number in range(SHARDS):
        if not engine.is_current(_rules_read, number):
            for key in engine.evaluate(_rule_keys)[number]:
                if engine.warm(plan_http_rules, key) | engine.warm(route_reach, key):
                    yield
            engine.warm(_rules_read, number)


def _rules_read(ctx: Context, number: int) -> None:
    """Depend on all that the steps over the VirtualServices of a shard do, so that one look tells whether they are done (tracked)."""
    for key in ctx.derive(_rule_keys)[number]:
        ctx.derive(plan_http_rules, key)
        ctx.derive(route_reach, key)


def _rule_keys(ctx: Context) -> tuple[tuple[ObjectKey, ...], ...]:
    """Return the keys of all VirtualServices, in shards of about equal size (tracked)."""
    shards: list[list[ObjectKey]] = [[] for _ in range(SHARDS)]
    for key in ctx.derive(_keys, Table.VIRTUAL_SERVICES):
        shards[shard_of(f"{key.namespace}.{key.name}")].append(key)
    return tuple(map(tuple, shards))


def _keys(ctx: Context, table: Table) -> tuple[ObjectKey, ...]:
    keys: tuple[ObjectKey, ...] = ctx.fetch(Cell(table, "*"))
    return keys
