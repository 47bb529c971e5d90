"""Rules that can never match, because rules before them take all their requests: in the same VirtualService, or in an older one.

For gateways the routes of all VirtualServices of a host follow each other, the oldest first, and those that match every request come last.
For sidecars one VirtualService decides about a host, so only its own rules cover each other there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.reachability import check_http_reachability
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import MatchKind
from meshctl_operator.compiler.plan.coverage import covers, takes_every_path
from meshctl_operator.compiler.plan.http_rules import plan_http_rules
from meshctl_operator.compiler.plan.route_matches import MatchBlock
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.gateways import normalized_hosts
from meshctl_operator.model.virtual_services import EVERYWHERE, MESH, Place, ResolvedVirtualService, head, resolved, virtual_service_keys
from meshctl_operator.registry.cells import object_cell

MOST_BEFORE: Final = 32  # VirtualServices of a host that are looked at, the nearest first: more would cost each edit too much
_MOST_CANDIDATES: Final = 64  # blocks of one path that are compared with a block; leaving some out only misses findings


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A match block that is served, and where it was written. ``everything`` says that its rule has no match at all."""

    block: MatchBlock
    place: Place
    rule: Place
    gateways: tuple[str, ...]

    @property
    def effective_gateways(self) -> frozenset[str]:
        """The gateways for which the block counts."""
        own = self.block.conditions.gateways
        return frozenset(self.gateways) & frozenset(own) if own else frozenset(self.gateways)


def placed_blocks(ctx: Context, key: ObjectKey) -> tuple[PlacedBlock, ...]:
    """Return the match blocks that a VirtualService serves, in order (tracked)."""
    item = ctx.derive(resolved, key)
    if item is None:
        return ()
    return tuple(
        PlacedBlock(block, place, rule.place, item.gateways)
        for rule in ctx.derive(plan_http_rules, key).value
        for block, place in zip(rule.blocks, rule.block_places, strict=True)
    )


def shadowed_rules(ctx: Context, item: ResolvedVirtualService) -> Iterator[Diagnostic]:
    """Yield a finding for each rule of the VirtualService, or each of its blocks, that is never reached (tracked).

    What admission says about the object alone is not said again.
    """
    known = _said_already(item)
    before = _BlocksBefore()
    others = [_owned(ctx, key) for key in _older(ctx, item)]
    by_rule: dict[Place, list[tuple[PlacedBlock, PlacedBlock | None]]] = {}
    for block in ctx.derive(placed_blocks, item.key):
        winner = before.covering(block, same_object=True)
        if winner is None:
            winner = next((found for other in others if (found := other.covering(block, same_object=False))), None)
        by_rule.setdefault(block.rule, []).append((block, winner))
        before.add(block)
    for rule, blocks in by_rule.items():
        if rule.subject != item.key or rule.path in known:
            continue
        losers = [(block, winner) for block, winner in blocks if winner is not None and block.place.path not in known]
        if not losers:
            continue
        if len(losers) == len(blocks):
            yield _finding(rule, losers[0][1])
        else:
            for block, winner in losers:
                yield _finding(block.place, winner)


def _finding(place: Place, winner: PlacedBlock) -> Diagnostic:
    where = winner.place.path.removeprefix("spec.")
    owner = winner.place.subject
    by = where if owner == place.subject else f"{where} of VirtualService {owner.namespace}/{owner.name}"
    message = f"is never reached: {by} takes all of its requests before"
    return codes.SHADOWED_RULE.warning(place.subject, place.path, message, hint="move the narrower rule first, or remove this one")


class _BlocksBefore:
    """Blocks by their paths, so that those that may cover another one are found without looking at all."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[MatchKind, str], list[PlacedBlock]] = {}
        self._anywhere: list[PlacedBlock] = []
        self._longest = 0

    def add(self, block: PlacedBlock) -> None:
        path = block.block.match.path
        if takes_every_path(block.block.match) or path.kind is MatchKind.REGEX:
            self._anywhere.append(block)
        else:
            self._by_path.setdefault((path.kind, path.text.lower()), []).append(block)
            self._longest = max(self._longest, len(path.text))

    def covering(self, later: PlacedBlock, *, same_object: bool) -> PlacedBlock | None:
        """Return the first block found that takes all requests of a later one, for every proxy that the later one is for."""
        return next((block for block in self._candidates(later) if _rules_out(block, later, same_object=same_object)), None)

    def _candidates(self, later: PlacedBlock) -> Iterator[PlacedBlock]:
        yield from self._anywhere[:_MOST_CANDIDATES]
        text = later.block.match.path.text.lower()
        yield from self._by_path.get((MatchKind.EXACT, text), ())[:_MOST_CANDIDATES]
        for end in range(min(len(text), self._longest) + 1):
            yield from self._by_path.get((MatchKind.PREFIX, text[:end]), ())[:_MOST_CANDIDATES]


def _rules_out(earlier: PlacedBlock, later: PlacedBlock, *, same_object: bool) -> bool:
    if not same_object:
        # Gateways move what matches every request to the end, and another server's port may decide about another object.
        if earlier.block.match.is_catch_all and not later.block.match.is_catch_all:
            return False
        if earlier.block.conditions.port:
            return False
    return _applies_wherever(earlier, later) and covers(earlier.block.match, later.block.match)


def _applies_wherever(earlier: PlacedBlock, later: PlacedBlock) -> bool:
    """Tell whether the static conditions of the earlier block hold wherever those of the later one do."""
    mine, theirs = later.block.conditions, earlier.block.conditions
    if theirs.port not in {0, mine.port}:
        return False
    if theirs.gateways:
        return later.effective_gateways <= set(theirs.gateways)
    if mine.gateways:  # these stand instead of the conditions on the proxy
        return not theirs.source_labels and not theirs.source_namespace
    return set(theirs.source_labels) <= set(mine.source_labels) and theirs.source_namespace in {"", mine.source_namespace}


def _owned(ctx: Context, key: ObjectKey) -> _BlocksBefore:
    found = _BlocksBefore()
    for block in ctx.derive(placed_blocks, key):
        found.add(block)
    return found


def _older(ctx: Context, item: ResolvedVirtualService) -> list[ObjectKey]:
    """Return the VirtualServices whose routes precede those of this one in every virtual host that it has, for every proxy.

    That is so for public objects of one namespace (or where no server names a namespace) that are bound to the same gateways and have the
    same hosts. One that is bound to the mesh as well decides about its hosts alone there, so nothing can be said about it.
    """
    if MESH in item.gateways or EVERYWHERE not in item.export_to or not item.gateways or not item.hosts:
        return []
    hosts = {host.lower() for host in item.hosts}
    plain = all(_names_no_namespace(ctx, gateway) for gateway in item.gateways)
    before: list[ObjectKey] = []
    for key in _sharing(ctx, item.gateways[0], item.hosts[0]):
        if key == item.key:
            break
        other = ctx.derive(head, key)
        if other is None or EVERYWHERE not in other.export_to or not (plain or other.namespace == item.namespace):
            continue
        if hosts <= {host.lower() for host in other.hosts} and all(
            key in _sharing(ctx, gateway, item.hosts[0]) for gateway in item.gateways[1:]
        ):
            before.append(key)
    return before[: -MOST_BEFORE - 1 : -1]


def _sharing(ctx: Context, gateway: str, host: str) -> tuple[ObjectKey, ...]:
    return ctx.derive(_bound_hosts, gateway).get(host.lower(), ())


def _bound_hosts(ctx: Context, gateway: str) -> dict[str, tuple[ObjectKey, ...]]:
    """Return the VirtualServices bound to a gateway by host in lower case, the oldest first (tracked)."""
    found: dict[str, list[ObjectKey]] = {}
    for key in virtual_service_keys(ctx, gateway):
        item = ctx.derive(head, key)
        for host in dict.fromkeys(host.lower() for host in item.hosts) if item is not None else ():
            found.setdefault(host, []).append(key)
    return {host: tuple(keys) for host, keys in found.items()}


def _names_no_namespace(ctx: Context, gateway: str) -> bool:
    namespace, _, name = gateway.partition("/")
    found: tuple[ConfigObject[GatewaySpec], ...] = ctx.fetch(object_cell(Kind.GATEWAY, namespace, name))
    return all("/" not in host for obj in found for server in obj.spec.servers for host in normalized_hosts(server.hosts, namespace))


def _said_already(item: ResolvedVirtualService) -> frozenset[str]:
    findings = Findings(item.key)
    check_http_reachability(item.spec.http, "spec.http", findings)
    return frozenset(finding.path for finding in findings.items)
