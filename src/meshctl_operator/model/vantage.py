"""Vantage: from where a host is looked at. Most namespaces see most hosts alike, and what is compiled for one is compiled for all.

Who sees a host differently is known beforehand: a namespace in which a service or a rule for the host lives, unless both are for everyone,
or that an ``exportTo`` names. Every other one is a *stranger* to the host, and strangers are replaced by one that lives nowhere. So a thousand services cost each
further namespace a thousand lookups, not a thousand compilations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.base.hostname import subset_of
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.destination_rules import is_for_everyone, rule_host
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.services import alias_target, services_of
from meshctl_operator.registry.cells import PARTIAL_WILDCARDS, Cell, Table

_EVERYONE: Final = "*"

STRANGER: Final = "\0"
"""The namespace that nothing lives in and nothing is exported to by name, not even by mistake (``exportTo: [""]``)."""


@firewall
def insiders(ctx: Context, host: str) -> frozenset[str]:
    """Return the namespaces that may see a host otherwise than all others: its services, or the DestinationRules for it (tracked).

    Those that live beside the only service of the host, and are exported to everyone like that, look the same from inside and outside.
    """
    found = {mesh_config(ctx).root_namespace}
    seen: set[str] = set()
    waiting = [host]
    while waiting:  # names may stand for each other in a ring, where each is a service of its own as well
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            found |= ctx.derive(_own_insiders, name)
            waiting += ctx.derive(_homes, name).targets
    return frozenset(found)


@firewall
def _own_insiders(ctx: Context, host: str) -> frozenset[str]:
    homes = ctx.derive(_homes, host)
    found = set(homes.insiders)
    keys = [*ctx.fetch(Cell(Table.RULES, host))]
    keys += (key for key in ctx.fetch(Cell(Table.RULES, PARTIAL_WILDCARDS)) if subset_of(host, ctx.derive(rule_host, key)))
    for key in keys:
        if key.namespace != homes.only or not ctx.derive(is_for_everyone, key):
            found |= ctx.derive(_rule_reach, key)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Homes:
    """Where the services of a host live: ``only`` if there is one, and all namespaces see it; else those that may see something else.

    ``targets`` are the hosts that aliases of this name lead to.
    """

    only: str = ""
    insiders: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()


@firewall
def _homes(ctx: Context, host: str) -> _Homes:
    default = mesh_config(ctx).default_service_export_to
    found = [service for key in ctx.fetch(Cell(Table.SERVICES, host)) for service in ctx.derive(services_of, key) if service.host == host]
    exported = [service.export_to or default for service in found]
    aliased = {ctx.derive(alias_target, service.external_name) for service in found if service.external_name}
    targets = tuple(sorted(aliased - {"", host}))
    if len(found) == 1 and _EVERYONE in exported[0]:
        return _Homes(only=found[0].namespace, targets=targets)
    reached = frozenset(name for service, names in zip(found, exported, strict=True) for name in (service.namespace, *names))
    return _Homes(insiders=reached, targets=targets)


@firewall
def _rule_reach(ctx: Context, key: ObjectKey) -> frozenset[str]:
    exported = (namespace for obj in ctx.fetch(Cell(Table.OBJECT, key)) for namespace in obj.spec.export_to)
    return frozenset((key.namespace, *exported))


def insiders_of_shard(ctx: Context, number: int) -> dict[str, frozenset[str]]:
    """Return ``insiders`` of each declared host of one shard (tracked)."""
    return {host: ctx.derive(insiders, host) for host in ctx.derive(declared_hosts)[number]}


def declared_hosts(ctx: Context) -> tuple[tuple[str, ...], ...]:
    """Return the hosts that services declare, by shard, in order of their names (tracked)."""
    shards: list[set[str]] = [set() for _ in range(SHARDS)]
    for key in ctx.fetch(Cell(Table.SERVICES, "*")):
        for service in ctx.derive(services_of, key):
            shards[shard_of(service.host)].add(service.host)
    return tuple(tuple(sorted(hosts)) for hosts in shards)
