"""Addresses of hosts that declare none, so that sidecars which answer DNS can tell connections to them apart (Istio ``ipallocate``).

Allocation is a function of what is declared: every replica comes to the same addresses, and so does one that starts anew. What was
written into the status of a ServiceEntry is kept. A host looks for its place within the shard of its name, so that one that comes or
goes concerns a few others at most, and only younger ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.service_entry import Resolution, ServiceEntrySpec
from meshctl_operator.base.automatic_ranges import addresses_at, place_of, places
from meshctl_operator.base.hostname import is_wildcard
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import SHARDS, shard_of
from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.model.mesh import is_on
from meshctl_operator.registry.cells import Cell, Table

WANTED_LABEL: Final = "networking.istio.io/enable-autoallocate-ip"
SWITCH: Final = "PILOT_ENABLE_IP_AUTOALLOCATE"

Owner = tuple[ObjectKey, str]
"""Who has an address: a ServiceEntry and its host; all of its hosts where that is empty."""


def is_eligible(obj: ConfigObject[ServiceEntrySpec], host: str) -> bool:
    """Tell whether a host of a ServiceEntry gets addresses: it has none, and a proxy has to know where its connections go."""
    spec = obj.spec
    return (
        spec.resolution is not Resolution.NONE
        and not spec.addresses
        and obj.meta.labels.get(WANTED_LABEL) != "false"
        and (not is_wildcard(host) or spec.resolution is Resolution.DYNAMIC_DNS)
    )


@firewall
def automatic_addresses(ctx: Context, key: ObjectKey, host: str) -> tuple[str, ...]:
    """Return the automatic addresses of a host of a ServiceEntry: what its status says, else one of each family (tracked)."""
    for obj in ctx.fetch(Cell(Table.OBJECT, key)):
        if is_eligible(obj, host):
            kept = tuple(_kept(ctx, obj, host))
            return kept or ctx.derive(_allocated, shard_of(host)).get((key, host), ())
    return ()


def _kept(ctx: Context, obj: ConfigObject[ServiceEntrySpec], host: str) -> Iterator[str]:
    """Yield the addresses that the status has for a host, but those that somebody with an older right has."""
    for address in dict.fromkeys(each.value for each in obj.status.addresses if each.host in {"", host}) if obj.status else ():
        place = place_of(address)
        owner = None if place is None else ctx.derive(_declared, place % SHARDS).get(address)
        if owner is None or owner[0] == obj.key:
            yield address


def _declared(ctx: Context, shard: int) -> dict[str, Owner]:
    """Return who has which address of a shard: whoever asks for it in so many words, else the oldest whose status has it (tracked)."""
    wanted: dict[str, Owner] = {}
    written: dict[str, Owner] = {}
    for key in ctx.fetch(Cell(Table.AUTOMATIC_ADDRESSES, ("address", shard))):
        for obj in ctx.fetch(Cell(Table.OBJECT, key)):
            for address in obj.spec.addresses:
                wanted.setdefault(address, (key, ""))
            for each in obj.status.addresses if obj.status else ():
                if is_eligible(obj, each.host):
                    written.setdefault(each.value, (key, each.host))
    return {**written, **wanted}


@firewall
def _allocated(ctx: Context, shard: int) -> dict[Owner, tuple[str, ...]]:
    """Return the addresses of the hosts of a shard whose status has none, the oldest first (tracked)."""
    if not is_on(ctx, SWITCH, default=True):
        return {}
    taken = set(ctx.derive(_declared, shard))
    found: dict[Owner, tuple[str, ...]] = {}
    for key in ctx.fetch(Cell(Table.AUTOMATIC_ADDRESSES, ("host", shard))):
        for obj in ctx.fetch(Cell(Table.OBJECT, key)):
            for host in sorted(set(obj.spec.hosts)):
                if shard_of(host) != shard or not is_eligible(obj, host) or any(_kept(ctx, obj, host)):
                    continue
                free = (addresses_at(place) for place in places(shard, f"{key.namespace}/{key.name}/{host}"))
                pair = next((pair for pair in free if taken.isdisjoint(pair)), ())
                taken.update(pair)
                found[key, host] = pair
    return found
