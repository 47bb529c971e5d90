"""Which compiled results have something of an object."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.base.shards import ShardedMap
from meshctl_operator.compiler.resources import CompiledProxy, compiled_resource
from meshctl_operator.controlplane.reach import FORGET_AFTER, Reach
from meshctl_operator.xds.resources import TypeUrl

RULE, OTHER, SERVICE = (ObjectKey(kind, "default", "x") for kind in ("VirtualService", "DestinationRule", "Service"))


def compiled(**clusters: tuple[ObjectKey, ...]) -> CompiledProxy:
    """Return a result with clusters that come from objects."""
    resources = {name: compiled_resource(TypeUrl.CLUSTER, name, b"1", (sources,)) for name, sources in clusters.items()}
    return CompiledProxy({TypeUrl.CLUSTER: ShardedMap.of(resources)})


def test_objects_are_found_where_something_comes_from_them() -> None:
    """Only what was asked for, and routing objects alone."""
    one, two = compiled(a=(RULE, SERVICE), b=(OTHER,)), compiled(c=(RULE,))
    found = Reach().of({1: one, 2: two}, frozenset({RULE, SERVICE}))
    assert found == {RULE: [1, 2]}


def test_shards_are_looked_through_once() -> None:
    """What is held stays known however often is asked; what nobody holds is forgotten."""
    reach, held, gone = Reach(), compiled(a=(RULE,)), compiled(b=(OTHER,))
    reach.of({1: gone}, frozenset({OTHER}))
    for _ in range(3 * FORGET_AFTER):
        assert reach.of({1: held}, frozenset({RULE})) == {RULE: [1]}
    known = {id(shard) for shard, _ in (*reach._known.values(), *reach._older.values())}
    assert known == {id(shard) for shard in held.split[TypeUrl.CLUSTER].shards if shard}
