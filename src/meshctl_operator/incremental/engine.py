"""Memoised derivations over cells, checked by revision and cut off where a recomputed value equals the old one.

The scheme is that of Salsa and Adapton: each node keeps the revision at which it was last verified and the revision at which its
value last changed. A stale node first verifies its dependencies in the order in which they were read; only when one of them really
changed does it run again, and an equal result leaves ``changed_at`` alone, so nothing above it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from meshctl_operator.incremental.context import Context

R = TypeVar("R")
P = ParamSpec("P")
Mode = Literal["incremental", "recompute"]
NodeKey = tuple[Callable[..., Any], tuple[Hashable, ...]]


class Snapshot(Protocol):
    """An immutable state of the inputs."""

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        """Return what the cell holds."""
        ...


@dataclass(slots=True)
class _Node:
    """What is remembered of one derivation. ``reads`` are cells and nodes in the order in which they were read."""

    value: Any
    changed_at: int
    verified_at: int
    reads: tuple[tuple[bool, Hashable], ...]


@dataclass(slots=True)
class Statistics:
    """What the engine did since the counters were last taken: derivations run, by function name, and nodes dropped."""

    recomputed: dict[str, int] = field(default_factory=dict)
    dropped: int = 0

    @property
    def total(self) -> int:
        """All derivations that ran."""
        return sum(self.recomputed.values())


class Engine:
    """Evaluates derivations against the current snapshot.

    ``mode="recompute"`` forgets everything at each revision: the oracle that the incremental mode is tested against, and a switch
    for operators who suspect it.
    """

    def __init__(self, snapshot: Snapshot, *, mode: Mode = "incremental") -> None:
        """Start at revision 1 with the given inputs."""
        self._snapshot = snapshot
        self._mode = mode
        self._revision = 1
        self._cell_changed_at: dict[Hashable, int] = {}
        self._nodes: dict[NodeKey, _Node] = {}
        self.statistics = Statistics()

    @property
    def revision(self) -> int:
        """The number of input states seen so far."""
        return self._revision

    def advance(self, snapshot: Snapshot, touched: Iterable[Hashable]) -> int:
        """Move to a new state of the inputs, in which only the touched cells may differ. Returns the new revision."""
        self._revision += 1
        self._snapshot = snapshot
        if self._mode == "recompute":
            self._nodes.clear()
        for cell in touched:
            self._cell_changed_at[cell] = self._revision
        return self._revision

    def evaluate(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        """Return the value of a derivation at the current revision."""
        return _Recorder(self).derive(fn, *params, **named)

    def collect(self, *, unused_for: int = 0) -> int:
        """Drop the nodes that none of the last ``unused_for`` + 1 revisions verified: nobody asks for them. Returns how many."""
        stale = [key for key, node in self._nodes.items() if node.verified_at < self._revision - unused_for]
        for key in stale:
            del self._nodes[key]
        self.statistics.dropped += len(stale)
        return len(stale)

    def take_statistics(self) -> Statistics:
        """Return the counters and start new ones."""
        taken, self.statistics = self.statistics, Statistics()
        return taken

    def _fetch(self, cell: Hashable) -> tuple[Any, ...]:
        return self._snapshot.fetch(cell)

    def _node(self, key: NodeKey) -> _Node:
        """Return the node of a derivation, up to date at the current revision."""
        node = self._nodes.get(key)
        if node is None:
            return self._compute(key, None)
        if node.verified_at != self._revision:
            if self._reads_unchanged(node):
                node.verified_at = self._revision
            else:
                return self._compute(key, node)
        return node

    def _reads_unchanged(self, node: _Node) -> bool:
        since = node.verified_at
        for is_cell, read in node.reads:
            if is_cell:
                if self._cell_changed_at.get(read, 0) > since:
                    return False
            else:
                key: NodeKey = read  # type: ignore[assignment]  # reads keep cells and node keys in one tuple, told apart by the flag
                if self._node(key).changed_at > since:
                    return False
        return True

    def _compute(self, key: NodeKey, old: _Node | None) -> _Node:
        fn, params = key
        recorder = _Recorder(self)
        value = fn(recorder, *params)
        self.statistics.recomputed[fn.__name__] = self.statistics.recomputed.get(fn.__name__, 0) + 1
        if old is not None and old.value == value:
            old.verified_at, old.reads = self._revision, recorder.taken()
            return old
        node = _Node(value, self._revision, self._revision, recorder.taken())
        self._nodes[key] = node
        return node


class _Recorder:
    """The context of one running derivation: passes reads on and writes them down, each once, in order."""

    __slots__ = ("_engine", "_reads")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reads: dict[tuple[bool, Hashable], None] = {}

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        self._reads[True, cell] = None
        return self._engine._fetch(cell)  # noqa: SLF001  (the two classes are one mechanism)

    def derive(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        if named:
            msg = f"{fn.__name__}: parameters of a derivation are positional, got {sorted(named)}"
            raise TypeError(msg)
        key: NodeKey = (fn, params)
        self._reads[False, key] = None
        value: R = self._engine._node(key).value  # noqa: SLF001  (as above)
        return value

    def taken(self) -> tuple[tuple[bool, Hashable], ...]:
        return tuple(self._reads)
