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
    keys = {Cell(Table.RULES, "x.com"), Cell(Table.RULES, "y.com")}
    assert applied.touched == {rules("x.com"), rules("y.com"), *keys, Cell(Table.OBJECT, key("a"))}
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


def test_key_tables_hold_keys() -> None:
    """The tables by which all objects of a kind are walked over hold keys, the oldest first; an object is read by its key."""
    registry = Registry()
    young, old = (upsert(name, "x.com", creationTimestamp=f"2026-01-0{day}T00:00:00Z") for name, day in (("a", 2), ("b", 1)))
    snapshot = registry.apply(changes(young, old)).snapshot
    assert snapshot.fetch(Cell(Table.RULES, "*")) == (key("b"), key("a"))
    assert snapshot.fetch(Cell(Table.OBJECT, key("a"))) == (young.object,)


def test_an_edit_in_place_touches_no_key_table() -> None:
    """Who walks over all keys need not walk again when an object stays where it is filed, as old as it was."""
    registry = Registry()
    registry.apply(changes(upsert("a", "x.com"), upsert("b", "x.com")))
    applied = registry.apply(changes(upsert("a", "x.com", labels={"edited": "yes"})))
    assert applied.touched == {rules("x.com"), Cell(Table.OBJECT, key("a"))}
    assert [obj.meta.labels for obj in applied.snapshot.fetch(rules("x.com"))] == [{"edited": "yes"}, {}]


def test_another_age_reorders_the_keys() -> None:
    """An object that is replaced by one of another age may stand elsewhere among the keys, so those are touched."""
    registry = Registry()
    registry.apply(changes(*(upsert(name, "x.com", creationTimestamp="2026-01-02T00:00:00Z") for name in "ab")))
    applied = registry.apply(changes(upsert("b", "x.com", creationTimestamp="2026-01-01T00:00:00Z")))
    assert Cell(Table.RULES, "x.com") in applied.touched
    assert applied.snapshot.fetch(Cell(Table.RULES, "x.com")) == (key("b"), key("a"))


HOSTS = st.sampled_from(["x.com", "y.com", "*.com", "*-x.com", None])
DAYS = st.sampled_from(["2026-01-01", "2026-01-02"])


@given(st.lists(st.tuples(st.sampled_from("abc"), HOSTS, DAYS), max_size=12))
def test_any_history_ends_in_the_same_state_as_its_outcome(history: list[tuple[str, str | None, str]]) -> None:
    """However a set of objects came about, its cells read the same as those of a fresh registry, and untouched cells did not change."""
    registry, final = Registry(), {}
    cells: set[Cell] = set()
    for name, host, day in history:
        before = registry.snapshot
        change = upsert(name, host, creationTimestamp=f"{day}T00:00:00Z") if host else Delete(key(name))
        applied = registry.apply(changes(change))
        cells |= applied.touched
        for cell in cells - applied.touched:
            assert applied.snapshot.fetch(cell) == before.fetch(cell)
        final[name] = change
    fresh = Registry().apply(changes(*final.values())).snapshot
    for cell in cells:
        assert registry.snapshot.fetch(cell) == fresh.fetch(cell)
    assert {cell for o in fresh.objects.values() for cell in cells_of(o, "cluster.local")} == {
        cell for o in registry.snapshot.objects.values() for cell in cells_of(o, "cluster.local")
    }
