"""An engine over any graph of derivations gives what a direct evaluation gives, and remembers what is in use and nothing else."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshctl_operator.incremental.context import Context, firewall
from meshctl_operator.incremental.engine import Engine

pytestmark = pytest.mark.property

CELLS = "abc"
MOST_NODES = 7
ODD = 7
"""A cell with this value makes who reads it as a fuse fail."""


@dataclass(frozen=True)
class Step:
    """One read of a derivation: a cell, another one if that one is odd, a derivation, one of two as a cell says, or a fuse."""

    cell: str
    second: str
    one: int
    other: int
    kind: str


@dataclass(frozen=True)
class Part:
    """One derivation: its reads in order, how coarse its result is, and whether it is a firewall."""

    steps: tuple[Step, ...]
    coarse: int
    firewall: bool


Plan = tuple[Part, ...]


class Broken(Exception):  # noqa: N818  (what a derivation raises is no error of the test)
    """A fuse has blown."""


@dataclass
class Cells:
    """Inputs by cell."""

    values: Mapping[Hashable, int]

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        """Return what the cell holds."""
        return (self.values[cell],) if self.values.get(cell) else ()


def plain(ctx: Context, plan: Plan, number: int) -> int:
    """Add up what a part reads."""
    part, found = plan[number], number
    for step in part.steps:
        value = sum(ctx.fetch(step.cell)) if step.kind != "part" else 0
        if step.kind == "fuse" and value == ODD:
            raise Broken
        if step.kind == "second" and value % 2:
            value += sum(ctx.fetch(step.second))
        if step.kind in {"part", "choice"}:
            chosen = step.one if step.kind == "part" or value % 2 else step.other
            value = ctx.derive(function_of(plan, chosen), plan, chosen)
        found = 3 * found + value
    return found % part.coarse


@firewall
def guarded(ctx: Context, plan: Plan, number: int) -> int:
    """Do the same as a firewall."""
    return plain(ctx, plan, number)


def function_of(plan: Plan, number: int) -> Any:
    """Return the function of a part."""
    return guarded if plan[number].firewall else plain


class Direct:
    """A context that remembers nothing."""

    def __init__(self, cells: Cells) -> None:
        self.fetch = cells.fetch

    def derive(self, fn: Any, *params: Any) -> Any:
        """Run the derivation."""
        return fn(self, *params)


def direct(cells: Cells, plan: Plan, number: int) -> int | None:
    """Return the value of a part, None where it fails."""
    try:
        return plain(cast("Context", Direct(cells)), plan, number)
    except Broken:
        return None


def asked(engine: Engine, plan: Plan, number: int) -> int | None:
    """Return what the engine says, None where it fails."""
    try:
        found: int = engine.evaluate(function_of(plan, number), plan, number)
    except Broken:
        return None
    return found


@st.composite
def plans(draw: st.DrawFn, *, fuses: bool = True) -> Plan:
    """Draw a graph without rings: parts read parts of smaller numbers."""
    kinds = ("cell", "second", "second", "part", "part", "choice", "choice", *(("fuse",) if fuses else ()))
    parts: list[Part] = []
    for number in range(draw(st.integers(2, MOST_NODES))):
        below = st.integers(0, max(number - 1, 0))
        kind = st.sampled_from(kinds if number else ("cell", "second"))
        step = st.builds(Step, st.sampled_from(CELLS), st.sampled_from(CELLS), below, below, kind)
        steps = tuple(draw(st.lists(step, min_size=1, max_size=4)))
        parts.append(Part(steps, draw(st.sampled_from((2, 1000, 1000))), draw(st.booleans())))
    return tuple(parts)


NUMBERS = st.integers(0, MOST_NODES - 1)
CHANGES = st.dictionaries(st.sampled_from(CELLS), st.sampled_from((0, 1, 1, 2, 3, ODD)), min_size=1, max_size=3)
ACTIONS = st.one_of(
    st.tuples(st.just("change"), CHANGES),
    st.tuples(st.just("change"), CHANGES),
    st.tuples(st.just("ask"), NUMBERS),
    st.tuples(st.just("all"), NUMBERS),
    st.tuples(st.just("warm"), NUMBERS),
    st.tuples(st.just("collect"), st.integers(0, 2)),
)
GRAPHS = 400 * settings().max_examples
MANY = settings(max_examples=12 * settings().max_examples)
"""Graphs are small, so hypothesis may look longer."""


@MANY
@given(plan=plans(), actions=st.lists(ACTIONS, min_size=4, max_size=40))
def test_any_history_gives_the_values_of_a_direct_evaluation(plan: Plan, actions: list[tuple[str, Any]]) -> None:
    """Whatever was changed, asked, warmed and collected before, each answer is that for the present inputs, a failure too."""
    cells = Cells({})
    engine = Engine(cells)
    for action, argument in actions:
        match action:
            case "change":
                cells = Cells({**cells.values, **argument})
                engine.advance(cells, argument)
            case "collect":
                engine.collect(unused_for=argument)
            case "warm":
                number = argument % len(plan)
                if direct(cells, plan, number) is not None:
                    engine.warm(function_of(plan, number), plan, number)
                    assert engine.is_current(function_of(plan, number), plan, number)
            case _:
                for number in range(len(plan)) if action == "all" else (argument % len(plan),):
                    assert asked(engine, plan, number) == direct(cells, plan, number)
    for number in reversed(range(len(plan))):  # who reads goes first, lest the read one tells it that it changed
        assert asked(engine, plan, number) == direct(cells, plan, number)


@MANY
@given(plan=plans(fuses=False), actions=st.lists(ACTIONS, max_size=20), roots=st.sets(NUMBERS, min_size=1, max_size=3))
def test_nothing_dead_stays_and_nothing_live_is_dropped(plan: Plan, actions: list[tuple[str, Any]], roots: set[int]) -> None:
    """After any history, an engine that was asked for some results and collected is as large as a new one that was asked for those."""
    cells = Cells({})
    engine = Engine(cells)
    for action, argument in actions:
        match action:
            case "change":
                cells = Cells({**cells.values, **argument})
                engine.advance(cells, argument)
            case "collect":
                engine.collect(unused_for=argument)
            case _:
                engine.warm(function_of(plan, argument % len(plan)), plan, argument % len(plan))
    fresh = Engine(cells)
    wanted = {number % len(plan) for number in roots}
    for number in wanted:
        asked(engine, plan, number)
    engine.advance(cells, ())  # what lost its last reader at the revision in progress is spared
    for number in sorted(wanted):
        assert asked(engine, plan, number) == asked(fresh, plan, number)
    engine.collect()
    assert engine._nodes.keys() == fresh._nodes.keys()
    assert engine._cells.keys() == fresh._cells.keys()
    engine.take_statistics()
    for number in wanted:
        asked(engine, plan, number)
    assert engine.take_statistics().total == 0


def _drawn_plan(chance: random.Random) -> Plan:
    """Return a small graph in which derivations often turn from one thing to another."""
    parts: list[Part] = []
    for number in range(chance.randint(3, 6)):
        kinds = ("cell", "second", "part", "part", "choice", "choice") if number else ("cell", "second")
        steps = tuple(
            Step(
                chance.choice("ab"),
                chance.choice("ab"),
                chance.randrange(number or 1),
                chance.randrange(number or 1),
                chance.choice(kinds),
            )
            for _ in range(chance.randint(1, 3))
        )
        parts.append(Part(steps, chance.choice((2, 1000, 1000)), chance.random() < 0.5))
    return tuple(parts)


@pytest.mark.parametrize("start", range(0, GRAPHS, GRAPHS // 4))
def test_many_small_graphs(start: int) -> None:
    """The same for very many graphs that hypothesis is too slow for: what goes wrong between derivations needs a rare coincidence."""
    for number in range(start, start + GRAPHS // 4):
        chance = random.Random(number)  # noqa: S311  (examples are no secret)
        plan = _drawn_plan(chance)
        values: dict[Hashable, int] = {}
        engine = Engine(Cells(values))
        for _ in range(8):
            changes: dict[Hashable, int] = {cell: chance.randrange(4) for cell in "ab" if chance.random() < 0.7}
            values = {**values, **changes}
            engine.advance(Cells(values), chance.sample(list(changes), len(changes)))
            asking = chance.sample(range(len(plan)), chance.randint(1, len(plan)))
            for part in asking:
                assert asked(engine, plan, part) == direct(Cells(values), plan, part), f"graph {number}"
            if chance.random() < 0.2:
                engine.collect()
