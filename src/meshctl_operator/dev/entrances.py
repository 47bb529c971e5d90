"""Where people come in: the ports at which the gateways really answer, followed while Gateways come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.dev.events import GatewayPorts
from meshctl_operator.dev.layout import LocalProxy
from meshctl_operator.dev.workloads import Server, servers_of

_TRIES: Final = 10  # Envoy answers to a listener before all of its workers listen
_PAUSE: Final = 0.05


async def with_open_ports(proxies: Sequence[LocalProxy], objects: Iterable[ConfigObject[Any]]) -> tuple[LocalProxy, ...]:
    """Return the proxies, the gateways among them with those servers of the Gateways on whose ports their Envoys listen.

    A server that lacks its certificate, or whose port another process has, is no entrance.
    """
    given = tuple(objects)
    return tuple(await asyncio.gather(*(_open(proxy, given) if proxy.is_gateway else _same(proxy) for proxy in proxies)))


def moved(before: Iterable[LocalProxy], after: Iterable[LocalProxy]) -> tuple[GatewayPorts, ...]:
    """Return the gateways that answer at other ports than before. Both are the same proxies in the same order."""
    return tuple(
        GatewayPorts(now, _without(now.gateway_ports, old.gateway_ports), _without(old.gateway_ports, now.gateway_ports))
        for old, now in zip(before, after, strict=True)
        if old.gateway_ports != now.gateway_ports
    )


async def _open(proxy: LocalProxy, objects: Sequence[ConfigObject[Any]]) -> LocalProxy:
    declared = servers_of(proxy.workload.deployment, objects)
    found = _with(proxy, ())
    for attempt in range(_TRIES):
        listening = set(await proxy.admin.listeners())
        found = _with(proxy, (server for server in declared if proxy.address_of(server) in listening))
        if len(found.workload.servers) == len(declared):
            break
        if attempt < _TRIES - 1:
            await asyncio.sleep(_PAUSE)
    return found


async def _same(proxy: LocalProxy) -> LocalProxy:
    return proxy


def _with(proxy: LocalProxy, servers: Iterable[Server]) -> LocalProxy:
    return replace(proxy, workload=replace(proxy.workload, servers=tuple(servers)))


def _without(ports: dict[str, str], others: dict[str, str]) -> dict[str, str]:
    return {declared: bound for declared, bound in ports.items() if others.get(declared) != bound}
