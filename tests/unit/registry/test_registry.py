"""The registry applies changes and says which cells may read differently."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshctl_operator.apis.changes import Change, ChangeSet, Delete, Rejected, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.registry.cells import Cell, Table, cells_of
from meshctl_operator.registry.registry import Registry


def upsert(name: str, host: str, **meta: Any) -> Upsert:
    """Return a DestinationRule as a change."""
    raw = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": {"host": host},
    }
    decoded = decode(raw)
    assert isinstance(decoded, Upsert)
    return decoded


def changes(*items: Change) -> ChangeSet:
    """Return a change set."""
    return ChangeSet(items, "test")


def key(name: str) -> ObjectKey:
    """Return the key of a DestinationRule."""
    return ObjectKey("DestinationRule", "shop", name)


def rules(host: str) -> Cell:
    """Return the cell of DestinationRules on a host."""
    return Cell(Table.DESTINATION_RULES, ("shop", host))


def test_a_snapshot_never_changes() -> None:
    """What was read once reads the same after later changes."""
    registry = Registry()
    before = registry.apply(changes(upsert("a", "x.com"))).snapshot
    registry.apply(changes(Delete(key("a"))))
    assert [o.key.name for o in before.fetch(rules("x.com"))] == ["a"]
    assert key("a") in before.objects
    assert registry.snapshot.fetch(rules("x.com")) == ()


def test_touched_cells_are_those_of_old_and_new() -> None:
    """An object that moves to another host touches both hosts."""
    registry = Registry()
    registry.apply(changes(upsert("a", "x.com")))
    applied = registry.apply(changes(upsert("a", "y.com")))
    everything = Cell(Table.DESTINATION_RULES, "*")
    assert applied.touched == {rules("x.com"), rules("y.com"), everything, Cell(Table.OBJECT, key("a"))}
    assert applied.changed == (key("a"),)


def test_an_equal_object_touches_nothing() -> None:
    """Metadata that nothing compiles from does not count as a change."""
    registry = Registry()
    registry.apply(changes(upsert("a", "x.com", resourceVersion="1")))
    applied = registry.apply(changes(upsert("a", "x.com", resourceVersion="2", generation=7)))
    assert applied.touched == frozenset()
    assert applied.changed == ()


def test_a_rejected_object_keeps_its_last_good_state() -> None:
    """A rejection leaves what is held."""
    registry = Registry()
    registry.apply(changes(upsert("a", "x.com")))
    applied = registry.apply(changes(Rejected(key("a"), ())))
    assert applied.touched == frozenset()
    assert len(applied.snapshot.fetch(rules("x.com"))) == 1


def test_oldest_first() -> None:
    """Objects of one cell stand in the order in which they were created, then by name."""
    registry = Registry()
    snapshot = registry.apply(
        changes(
            upsert("c", "x.com", creationTimestamp="2026-01-02T00:00:00Z"),
            upsert("b", "x.com", creationTimestamp="2026-01-01T00:00:00Z"),
            upsert("a", "x.com", creationTimestamp="2026-01-02T00:00:00Z"),
        )
    ).snapshot
    assert [o.key.name for o in snapshot.fetch(rules("x.com"))] == ["b", "a", "c"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x.com", "y.com", None])), max_size=12))
def test_any_history_ends_in_the_same_state_as_its_outcome(history: list[tuple[str, str | None]]) -> None:
    """However a set of objects came about, its cells read the same as those of a fresh registry, and untouched cells did not change."""
    registry, final = Registry(), {}
    for name, host in history:
        before = registry.snapshot
        applied = registry.apply(changes(upsert(name, host) if host else Delete(key(name))))
        for cell in {rules("x.com"), rules("y.com")} - applied.touched:
            assert applied.snapshot.fetch(cell) == before.fetch(cell)
        final[name] = host
    fresh = Registry().apply(changes(*(upsert(name, host) for name, host in final.items() if host))).snapshot
    for cell in (rules("x.com"), rules("y.com")):
        assert [o.key for o in registry.snapshot.fetch(cell)] == [o.key for o in fresh.fetch(cell)]
    assert {cell for o in fresh.objects.values() for cell in cells_of(o, "cluster.local")} == {
        cell for o in registry.snapshot.objects.values() for cell in cells_of(o, "cluster.local")
    }
