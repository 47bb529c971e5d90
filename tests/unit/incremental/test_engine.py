"""The engine recomputes what read a changed cell, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.incremental.engine import Cause, Engine, Mode


@dataclass
class Cells:
    """Inputs by cell."""

    values: Mapping[Hashable, tuple[Any, ...]] = field(default_factory=dict)

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        """Return what the cell holds."""
        return self.values.get(cell, ())


def total(ctx: Context, cell: str) -> int:
    """Add up a cell."""
    return sum(ctx.fetch(cell))


def is_even(ctx: Context, cell: str) -> bool:
    """Tell whether the sum of a cell is even."""
    return ctx.derive(total, cell) % 2 == 0


def report(ctx: Context, *cells: str) -> str:
    """Say which cells are even."""
    return " ".join(f"{cell}={ctx.derive(is_even, cell)}" for cell in cells)


def chosen(ctx: Context) -> int:
    """Follow a cell that names another."""
    names = ctx.fetch("pointer")
    return ctx.derive(total, names[0]) if names else -1


def test_a_change_reruns_only_its_readers() -> None:
    """A touched cell reruns the derivations that read it; those of other cells stay."""
    engine = Engine(Cells({"a": (1,), "b": (2,)}))
    assert engine.evaluate(report, "a", "b") == "a=False b=True"
    engine.take_statistics()
    engine.advance(Cells({"a": (2,), "b": (2,)}), {"a"})
    assert engine.evaluate(report, "a", "b") == "a=True b=True"
    assert engine.take_statistics().recomputed == {"total": 1, "is_even": 1, "report": 1}


def test_an_equal_result_cuts_off() -> None:
    """What read a result that came out equal does not run again."""
    engine = Engine(Cells({"a": (2,)}))
    engine.evaluate(report, "a")
    engine.take_statistics()
    engine.advance(Cells({"a": (4,)}), {"a"})
    assert engine.evaluate(report, "a") == "a=True"
    assert engine.take_statistics().recomputed == {"total": 1, "is_even": 1}


def test_a_miss_is_a_read() -> None:
    """An object that appears later dirties the derivation that looked for it and found none."""
    engine = Engine(Cells())
    assert engine.evaluate(total, "a") == 0
    engine.advance(Cells({"a": (3,)}), {"a"})
    assert engine.evaluate(total, "a") == 3


def test_reads_are_those_of_the_last_run() -> None:
    """A cell that is no longer read does not cause a run."""
    engine = Engine(Cells({"pointer": ("a",), "a": (1,), "b": (2,)}))
    assert engine.evaluate(chosen) == 1
    engine.advance(Cells({"pointer": ("b",), "a": (1,), "b": (2,)}), {"pointer"})
    assert engine.evaluate(chosen) == 2
    engine.take_statistics()
    engine.advance(Cells({"pointer": ("b",), "a": (9,), "b": (2,)}), {"a"})
    assert engine.evaluate(chosen) == 2
    assert engine.take_statistics().total == 0


def test_a_dependency_that_went_away_is_not_verified_needlessly() -> None:
    """Reads are verified in their order, so a derivation whose guard changed does not run for parameters that no longer exist."""
    engine = Engine(Cells({"pointer": ("a",), "a": (1,)}))
    engine.evaluate(chosen)
    engine.take_statistics()
    engine.advance(Cells({}), {"pointer", "a"})
    assert engine.evaluate(chosen) == -1
    assert "total" not in engine.take_statistics().recomputed


@pytest.mark.parametrize("mode", ["incremental", "recompute"])
def test_both_modes_agree(mode: Mode) -> None:
    """The oracle mode gives the same values and forgets everything at each revision."""
    engine = Engine(Cells({"a": (1,)}), mode=mode)
    assert engine.evaluate(report, "a") == "a=False"
    engine.take_statistics()
    engine.advance(Cells({"a": (1,)}), ())
    assert engine.evaluate(report, "a") == "a=False"
    assert engine.take_statistics().total == (0 if mode == "incremental" else 3)


def test_collect_drops_what_nobody_asks_for() -> None:
    """Nodes that the current revision did not verify are dropped, the others stay."""
    engine = Engine(Cells({"a": (1,), "b": (1,)}))
    engine.evaluate(total, "a")
    engine.evaluate(total, "b")
    engine.advance(Cells({"a": (1,), "b": (1,)}), ())
    engine.evaluate(total, "a")
    assert engine.collect() == 1
    engine.take_statistics()
    engine.evaluate(total, "a")
    assert engine.take_statistics().total == 0


def test_collect_spares_what_was_used_lately() -> None:
    """A node that one of the last revisions verified stays, so that a revision in progress loses nothing."""
    engine = Engine(Cells({"a": (1,)}))
    engine.evaluate(total, "a")
    engine.advance(Cells({"a": (1,)}), ())
    assert engine.collect(unused_for=1) == 0
    engine.advance(Cells({"a": (1,)}), ())
    assert engine.collect(unused_for=1) == 1


def test_collect_drops_what_only_the_dropped_read() -> None:
    """What a dropped derivation read goes with it, unless something that stays reads it as well."""
    engine = Engine(Cells({"a": (1,), "b": (1,)}))
    engine.evaluate(report, "a", "b")
    engine.advance(Cells({"a": (1,), "b": (1,)}), ())
    engine.evaluate(report, "a")
    assert engine.collect() == 3, "report, is_even and total of b"
    assert engine.size == 3
    assert set(engine._cells) == {"a"}


def test_collect_drops_what_lost_its_reader() -> None:
    """A derivation that its only reader turned away from is dropped, though the reader stays."""
    engine = Engine(Cells({"pointer": ("a",), "a": (1,), "b": (2,)}))
    engine.evaluate(chosen)
    engine.advance(Cells({"pointer": ("b",), "a": (1,), "b": (2,)}), {"pointer"})
    engine.evaluate(chosen)
    engine.advance(Cells({"pointer": ("b",), "a": (1,), "b": (2,)}), ())
    engine.evaluate(chosen)
    assert engine.collect() == 1
    assert set(engine._cells) == {"pointer", "b"}
    engine.take_statistics()
    assert engine.evaluate(chosen) == 2
    assert engine.take_statistics().total == 0


def test_collect_spares_what_is_read_again() -> None:
    """A derivation that lost its last reader and found another one stays."""
    engine = Engine(Cells({"pointer": ("a",), "a": (1,), "b": (2,)}))
    engine.evaluate(chosen)
    for names in (("b",), ("a",)):
        engine.advance(Cells({"pointer": names, "a": (1,), "b": (2,)}), {"pointer"})
        engine.evaluate(chosen)
    assert engine.collect() == 0, "b lost its reader at this very revision"
    engine.advance(Cells({"pointer": ("a",), "a": (1,), "b": (2,)}), ())
    engine.evaluate(chosen)
    assert engine.collect() == 1
    engine.take_statistics()
    assert engine.evaluate(total, "a") == 1
    assert engine.take_statistics().total == 0


def test_what_is_dropped_is_computed_afresh() -> None:
    """A collection is never seen in a value."""
    engine = Engine(Cells({"a": (1,)}))
    engine.evaluate(report, "a")
    engine.advance(Cells({"a": (2,)}), {"a"})
    assert engine.collect() == 3
    assert engine.size == 0
    assert engine.evaluate(report, "a") == "a=True"


def test_warm_does_the_work_ahead() -> None:
    """What is warm costs nothing when it is asked for, and warming twice does nothing."""
    engine = Engine(Cells({"a": (1,)}))
    assert engine.warm(is_even, "a")
    assert not engine.warm(is_even, "a")
    engine.take_statistics()
    assert engine.evaluate(report, "a") == "a=False"
    assert engine.take_statistics().recomputed == {"report": 1}
    engine.advance(Cells({"a": (3,)}), {"a"})
    assert engine.warm(report, "a")
    engine.take_statistics()
    assert engine.evaluate(report, "a") == "a=False"
    assert engine.take_statistics().total == 0


def test_warming_is_no_use() -> None:
    """What was warmed and never asked for is dropped; what is asked for stays."""
    engine = Engine(Cells({"a": (1,), "b": (1,)}))
    engine.warm(total, "a")
    engine.warm(total, "b")
    assert engine.collect() == 0, "somebody may ask within the revision"
    engine.evaluate(is_even, "b")
    engine.advance(Cells({"a": (1,), "b": (1,)}), ())
    engine.evaluate(is_even, "b")
    assert engine.collect() == 1
    assert engine.is_current(total, "b")
    assert not engine.is_current(total, "a")


def test_is_current() -> None:
    """Unknown is not current, nor is what depends on a touched cell, however far away, until it was verified."""
    engine = Engine(Cells({"a": (2,), "b": (2,)}))
    assert not engine.is_current(report, "a")
    engine.evaluate(report, "a")
    engine.evaluate(report, "b")
    assert engine.is_current(report, "a")
    engine.advance(Cells({"a": (4,), "b": (2,)}), {"a"})
    assert not engine.is_current(total, "a")
    assert not engine.is_current(report, "a")
    assert engine.is_current(report, "b")
    engine.evaluate(report, "a")
    assert engine.is_current(total, "a")
    assert engine.is_current(report, "a")


def test_results_of_functions() -> None:
    """Debug pages find every value that some functions gave, with the parameters."""
    engine = Engine(Cells({"a": (1,), "b": (2,)}))
    engine.evaluate(report, "a", "b")
    found = {(fn, *params): value for (fn, params), value in engine.results({total, is_even})}
    assert found == {(total, "a"): 1, (total, "b"): 2, (is_even, "a"): False, (is_even, "b"): True}
    assert not list(engine.results(set()))


def test_causes() -> None:
    """The chain from a derivation to the cell that made it run last, with the revisions; itself alone after its first run."""
    engine = Engine(Cells({"a": (1,)}))
    assert engine.causes(report, "a") == ()
    engine.evaluate(report, "a")
    assert engine.causes(report, "a") == (Cause("report", ("a",), 1),)
    engine.advance(Cells({"a": (2,)}), {"a"})
    engine.evaluate(report, "a")
    chain = (Cause("report", ("a",), 2), Cause("is_even", ("a",), 2), Cause("total", ("a",), 2), Cause("", ("a",), 2))
    assert engine.causes(report, "a") == chain
    engine.advance(Cells({"a": (4,)}), {"a"})
    engine.evaluate(report, "a")
    assert [cause.computed_at for cause in engine.causes(report, "a")] == [2, 3, 3, 3], "is_even ran again, and came out the same"


def fragile(ctx: Context, cell: str) -> int:
    """Fail where a cell says so, having read others before."""
    found: int = ctx.derive(total, cell) + sum(ctx.fetch("other"))
    if ctx.fetch("broken"):
        raise ZeroDivisionError
    return found


def careful(ctx: Context, cell: str) -> int:
    """Read what may fail."""
    return ctx.derive(fragile, cell) + 1


def test_a_derivation_that_raises_leaves_no_trace() -> None:
    """Neither it nor its readers are known, nothing reads what they read, and they run again when asked again."""
    engine = Engine(Cells({"a": (1,), "broken": (1,)}))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            engine.evaluate(careful, "a")
        assert not engine.is_current(careful, "a")
        assert {node.key[0] for node in engine._nodes.values()} <= {total}
    assert engine.take_statistics().recomputed == {"total": 1}
    engine.advance(Cells({"a": (1,)}), {"broken"})
    assert engine.evaluate(careful, "a") == 2
    engine.advance(Cells({}), {"a"})
    assert engine.evaluate(careful, "a") == 1


def test_what_raised_once_recovers() -> None:
    """A derivation that had a value, failed, and is asked again follows the cells that it read before and in its failure."""
    engine = Engine(Cells({"a": (1,)}))
    assert engine.evaluate(careful, "a") == 2
    engine.advance(Cells({"a": (1,), "broken": (1,)}), {"broken"})
    with pytest.raises(ZeroDivisionError):
        engine.evaluate(careful, "a")
    engine.advance(Cells({"a": (5,), "broken": (1,)}), {"a"})
    with pytest.raises(ZeroDivisionError):
        engine.evaluate(careful, "a")
    engine.advance(Cells({"a": (5,)}), {"broken"})
    assert engine.evaluate(careful, "a") == 6
    engine.advance(Cells({"a": (5,), "other": (1,)}), {"other"})
    assert engine.evaluate(careful, "a") == 7


def test_a_failure_alone_is_collected() -> None:
    """What only a failed derivation asked for goes, its cells too."""
    engine = Engine(Cells({"a": (1,), "broken": (1,)}))
    with pytest.raises(ZeroDivisionError):
        engine.evaluate(careful, "a")
    engine.advance(Cells({"a": (1,), "broken": (1,)}), ())
    engine.collect()
    assert engine.size == 0
    assert not engine._cells


def left(ctx: Context) -> int:
    """One side of a diamond."""
    return ctx.derive(total, "a") // 2


def right(ctx: Context) -> int:
    """The other side."""
    return ctx.derive(total, "a") * 10


def both(ctx: Context) -> int:
    """Put the sides together."""
    return ctx.derive(left) + ctx.derive(right)


def test_diamonds() -> None:
    """Each part of a diamond runs once, and is current whichever side was asked first."""
    engine = Engine(Cells({"a": (2,)}))
    assert engine.evaluate(both) == 21
    engine.take_statistics()
    engine.advance(Cells({"a": (3,)}), {"a"})
    assert engine.evaluate(right) == 30
    assert engine.evaluate(both) == 31
    assert engine.take_statistics().recomputed == {"total": 1, "right": 1, "left": 1, "both": 1}


def test_a_diamond_with_one_side_cut_off() -> None:
    """What a side that came out equal cannot tell, the other side does."""
    engine = Engine(Cells({"a": (2,)}))
    engine.evaluate(both)
    engine.advance(Cells({"a": (3,)}), {"a"})
    assert engine.evaluate(left) == 1
    assert not engine.is_current(both)
    assert engine.evaluate(both) == 31


def link(ctx: Context, depth: int) -> int:
    """Hang on a chain."""
    return ctx.derive(link, depth - 1) + 1 if depth else sum(ctx.fetch("end"))


def test_deep_chains() -> None:
    """A change at the end of a long chain reaches its head, and is dropped with it."""
    engine = Engine(Cells({"end": (0,)}))
    assert engine.evaluate(link, 150) == 150
    engine.advance(Cells({"end": (1,)}), {"end"})
    assert engine.evaluate(link, 150) == 151
    assert len(engine.causes(link, 150)) == 152
    engine.advance(Cells({"end": (1,)}), ())
    assert engine.collect() == 151


def switched(ctx: Context) -> int:
    """Read a cell only while a switch is on."""
    return sum(ctx.fetch("a")) if ctx.fetch("switch") else 0


def around(ctx: Context) -> int:
    """Read a cell, then something that stops reading it meanwhile."""
    found: int = sum(ctx.fetch("a"))
    return found + ctx.derive(switched)


def test_a_cell_may_lose_its_last_reader_while_another_starts_to_read_it() -> None:
    """A running derivation is no reader yet; what it has read counts all the same."""
    engine = Engine(Cells({"switch": (1,), "a": (1,)}))
    engine.evaluate(switched)
    engine.advance(Cells({"a": (1,)}), {"switch"})
    assert engine.evaluate(around) == 1
    engine.advance(Cells({"a": (5,)}), {"a"})
    assert engine.evaluate(around) == 5


def test_a_cell_without_readers_is_forgotten() -> None:
    """Buckets that were looked at once do not pile up."""
    engine = Engine(Cells({"pointer": ("a",)}))
    engine.evaluate(chosen)
    for number in range(5):
        engine.advance(Cells({"pointer": (f"cell-{number}",)}), {"pointer"})
        engine.evaluate(chosen)
        engine.collect()
    engine.advance(Cells({"pointer": ("cell-4",)}), ())
    engine.evaluate(chosen)
    engine.collect()
    assert set(engine._cells) == {"pointer", "cell-4"}


@firewall
def parity(ctx: Context, cell: str) -> int:
    """Pick a part of a cell."""
    return int(sum(ctx.fetch(cell)) % 2)


@firewall
def parities(ctx: Context) -> int:
    """Stand behind two firewalls."""
    return 10 * ctx.derive(parity, "a") + ctx.derive(parity, "b")


def behind(ctx: Context) -> int:
    """Stand behind three."""
    return ctx.derive(parities)


def test_a_firewall_keeps_suspicion_out() -> None:
    """What lies behind a firewall whose result stays is current at once; a result that differs gets through."""
    engine = Engine(Cells({"a": (1,), "b": (1,)}))
    assert engine.evaluate(behind) == 11
    engine.take_statistics()
    engine.advance(Cells({"a": (3,), "b": (1,)}), {"a"})
    assert engine.is_current(behind)
    assert engine.take_statistics().recomputed == {"parity": 1}
    engine.advance(Cells({"a": (2,), "b": (1,)}), {"a"})
    assert not engine.is_current(behind)
    assert engine.evaluate(behind) == 1
    assert [cause.function for cause in engine.causes(behind)] == ["behind", "parities", "parity", ""]


def test_firewalls_run_in_the_order_of_their_ranks() -> None:
    """Each runs once however many of those before it differ."""
    engine = Engine(Cells({"a": (1,), "b": (1,)}))
    engine.evaluate(behind)
    engine.take_statistics()
    engine.advance(Cells({}), ["b", "a"])
    assert engine.evaluate(behind) == 0
    assert engine.take_statistics().recomputed == {"parity": 2, "parities": 1, "behind": 1}


@firewall
def early(ctx: Context) -> tuple[int, ...]:
    """Read, if a switch is on, what is behind a firewall of a higher rank, and then that firewall."""
    return (ctx.derive(behind), ctx.derive(parities)) if ctx.fetch("switch") else ()


def test_a_firewall_that_turns_to_others_behind_it_sees_their_present() -> None:
    """A firewall runs before one that it did not depend on so far: what it reads must not be older than the change."""
    engine = Engine(Cells({"a": (1,)}))
    assert (engine.evaluate(early), engine.evaluate(behind)) == ((), 10)
    engine.advance(Cells({"switch": (1,)}), ["switch", "a"])
    assert engine.evaluate(early) == (0, 0)
    engine.advance(Cells({"switch": (1,), "b": (1,)}), ["b"])
    assert engine.evaluate(early) == (1, 1)


@firewall
def fused(ctx: Context) -> int:
    """Fail where a cell says so."""
    if ctx.fetch("broken"):
        raise ZeroDivisionError
    return ctx.derive(parity, "a")


def spared(ctx: Context) -> int:
    """Read what may fail only if a switch is on."""
    return ctx.derive(fused) if ctx.fetch("switch") else -1


def test_a_firewall_that_fails_hurts_only_who_needs_it() -> None:
    """The error is raised where the value is needed; who stopped needing it hears nothing, and it recovers."""
    engine = Engine(Cells({"switch": (1,), "a": (1,)}))
    assert engine.evaluate(spared) == 1
    engine.advance(Cells({"broken": (1,), "switch": (1,)}), {"broken", "a"})
    with pytest.raises(ZeroDivisionError):
        engine.evaluate(spared)
    assert engine.evaluate(parities) == 0
    engine.advance(Cells({"broken": (1,)}), {"switch"})
    assert engine.evaluate(spared) == -1
    engine.advance(Cells({"switch": (1,)}), {"broken", "switch"})
    assert engine.evaluate(spared) == 0


@pytest.mark.parametrize("method", ["evaluate", "warm", "is_current"])
def test_named_parameters_are_refused(method: str) -> None:
    """Parameters are part of the key by position; a named one would make two keys of one derivation."""
    with pytest.raises(TypeError, match="positional"):
        getattr(Engine(Cells()), method)(total, cell="a")


def named(ctx: Context) -> int:
    """Derive with a named parameter."""
    return ctx.derive(total, cell="a")


def test_named_parameters_are_refused_inside() -> None:
    """The same for what one derivation asks of another."""
    with pytest.raises(TypeError, match="positional"):
        Engine(Cells()).evaluate(named)
