"""The engine recomputes what read a changed cell, and nothing else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from meshctl_operator.incremental.context import Context
from meshctl_operator.incremental.engine import Engine, Mode


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


def test_named_parameters_are_refused() -> None:
    """Parameters are part of the key by position; a named one would make two keys of one derivation."""
    with pytest.raises(TypeError, match="positional"):
        Engine(Cells()).evaluate(total, cell="a")
