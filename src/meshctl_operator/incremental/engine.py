"""Memoised derivations over cells: a change marks what may depend on it, and an equal result ends its spreading.

Three colours (as in Salsa, Adapton and reactive signals): a touched cell makes its readers *dirty* and whatever reads those, directly or
not, *suspect*. Nothing runs until it is asked for. A dirty node runs; a suspect one first brings its reads up to date in the order in
which they were read, and runs only if one of them has a new value. So the cost of a change is that of what it reaches, whatever the size
of the rest, and a node whose result equals the old one stops the change there.

Edges are kept in both directions. A node that nothing reads and nobody asks for is dropped by ``collect``, together with what only it
read: each drop costs what is dropped, and no walk over what stays.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Concatenate, Final, Literal, ParamSpec, Protocol, TypeVar

from meshctl_operator.incremental.context import Context

R = TypeVar("R")
P = ParamSpec("P")
Mode = Literal["incremental", "recompute"]
NodeKey = tuple[Callable[..., Any], tuple[Hashable, ...]]

_CLEAN: Final = 0
_SUSPECT: Final = 1
_DIRTY: Final = 2


class Snapshot(Protocol):
    """An immutable state of the inputs."""

    def fetch(self, cell: Hashable) -> tuple[Any, ...]:
        """Return what the cell holds."""
        ...


@dataclass(slots=True)
class Statistics:
    """What the engine did since the counters were last taken: derivations run, by function name, and nodes dropped."""

    recomputed: dict[str, int] = field(default_factory=dict)
    dropped: int = 0

    @property
    def total(self) -> int:
        """All derivations that ran."""
        return sum(self.recomputed.values())


@dataclass(frozen=True, slots=True)
class Cause:
    """One link of the chain that made a derivation run last, from itself to the cell that was touched.

    ``function`` is empty for the cell at the end, whose key is then the only parameter.
    """

    function: str
    params: tuple[Hashable, ...]
    computed_at: int


class _Cell:
    """One input, with the nodes that read it."""

    __slots__ = ("key", "readers")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.readers: set[_Node] = set()


class _Node:
    """One derivation: its last value, what it read in order, and who read it."""

    __slots__ = ("cause", "computed_at", "key", "readers", "reads", "state", "value")

    def __init__(self, key: NodeKey) -> None:
        self.key = key
        self.value: Any = None
        self.state = _DIRTY
        self.computed_at = 0
        self.reads: tuple[_Cell | _Node, ...] = ()
        self.readers: set[_Node] = set()
        self.cause: _Cell | _Node | None = None


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
        self._forget()
        self.statistics = Statistics()

    def _forget(self) -> None:
        self._cells: dict[Hashable, _Cell] = {}
        self._nodes: dict[NodeKey, _Node] = {}
        self._roots: dict[_Node, int] = {}  # what was asked for from outside, with the revision at which it was asked for last
        self._orphans: dict[_Node, int] = {}  # what lost its last reader, with the revision at which it did

    @property
    def revision(self) -> int:
        """The number of input states seen so far."""
        return self._revision

    @property
    def size(self) -> int:
        """How many derivations are remembered."""
        return len(self._nodes)

    def advance(self, snapshot: Snapshot, touched: Iterable[Hashable]) -> int:
        """Move to a new state of the inputs, in which only the touched cells may differ. Returns the new revision."""
        self._revision += 1
        self._snapshot = snapshot
        if self._mode == "recompute":
            self._forget()
        for key in touched:
            cell = self._cells.get(key)
            if cell is not None:
                self._spread(cell)
        return self._revision

    def evaluate(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        """Return the value of a derivation at the current revision."""
        if named:
            raise _not_positional(fn, named)
        node = self._node((fn, params))
        self._roots[node] = self._revision
        value: R = node.value
        return value

    def collect(self, *, unused_for: int = 0) -> int:
        """Drop what was not asked for at any of the last ``unused_for`` + 1 revisions, neither from outside nor by what was.

        Returns how many derivations were dropped.
        """
        limit = self._revision - unused_for
        dead = [node for node, asked_at in self._roots.items() if asked_at < limit]
        for node in dead:
            del self._roots[node]
        settled = [node for node, lost_at in self._orphans.items() if node.readers or lost_at < limit]
        for node in settled:
            del self._orphans[node]
        before = len(self._nodes)
        pending = [*dead, *settled]
        while pending:
            node = pending.pop()
            if not node.readers and node not in self._roots and self._nodes.get(node.key) is node:
                pending += self._drop(node)
        dropped = before - len(self._nodes)
        self.statistics.dropped += dropped
        return dropped

    def take_statistics(self) -> Statistics:
        """Return the counters and start new ones."""
        taken, self.statistics = self.statistics, Statistics()
        return taken

    def causes(self, fn: Callable[..., Any], *params: Hashable) -> tuple[Cause, ...]:
        """Return why a derivation ran last: itself first, the touched cell last. Just itself if it ran for the first time, empty if never."""
        found: _Node | _Cell | None = self._nodes.get((fn, params))
        chain: list[Cause] = []
        while isinstance(found, _Node):
            function, arguments = found.key
            chain.append(Cause(function.__name__, arguments, found.computed_at))
            found = found.cause
        if found is not None:
            chain.append(Cause("", (found.key,), chain[-1].computed_at))
        return tuple(chain)

    # -- inside -----------------------------------------------------------------------------------------------------------------------

    def _node(self, key: NodeKey) -> _Node:
        """Return the node of a derivation, up to date."""
        node = self._nodes.get(key)
        if node is None:
            node = _Node(key)
            self._compute(node)
            self._nodes[key] = node
        elif node.state:
            self._refresh(node)
        return node

    def _refresh(self, node: _Node) -> None:
        if node.state == _SUSPECT:
            for read in node.reads:
                if isinstance(read, _Node) and read.state:
                    self._refresh(read)
                    if node.state == _DIRTY:  # the read has a new value, and told its readers
                        break
            else:
                node.state = _CLEAN
                return
        self._compute(node)

    def _compute(self, node: _Node) -> None:
        fn, params = node.key
        recorder = _Recorder(self)
        try:
            value = fn(recorder, *params)
        except BaseException:
            self._abandon(recorder.reads)
            raise
        self.statistics.recomputed[fn.__name__] = self.statistics.recomputed.get(fn.__name__, 0) + 1
        self._link(node, tuple(recorder.reads))
        first = not node.computed_at
        node.computed_at = self._revision
        node.state = _CLEAN
        if first or node.value != value:
            node.value = value
            self._spread(node)

    def _link(self, node: _Node, reads: tuple[_Cell | _Node, ...]) -> None:
        """Replace what the node reads."""
        old = node.reads
        if reads == old:
            return
        for read in reads:
            read.readers.add(node)
        node.reads = reads
        for read in set(old).difference(reads):
            read.readers.discard(node)
            self._note_unread(read)

    def _abandon(self, reads: Iterable[_Cell | _Node]) -> None:
        """Give up what a failed derivation read: nothing may read it any more."""
        for read in reads:
            self._note_unread(read)

    def _note_unread(self, read: _Cell | _Node) -> None:
        if read.readers:
            return
        if isinstance(read, _Cell):
            self._cells.pop(read.key, None)
        else:
            self._orphans[read] = self._revision

    def _drop(self, node: _Node) -> list[_Node]:
        """Forget a node, and return what nothing reads without it."""
        del self._nodes[node.key]
        unread: list[_Node] = []
        for read in node.reads:
            read.readers.discard(node)
            if read.readers:
                continue
            if isinstance(read, _Cell):
                self._cells.pop(read.key, None)
            else:
                unread.append(read)
                self._orphans.pop(read, None)
        node.reads, node.value, node.cause = (), None, None
        return unread

    def _spread(self, source: _Cell | _Node) -> None:
        """Mark the readers of a changed source dirty, and what depends on those suspect."""
        suspects: list[_Node] = []
        for reader in source.readers:
            if reader.state != _DIRTY:
                if reader.state == _CLEAN:
                    suspects.append(reader)
                reader.state = _DIRTY
                reader.cause = source
        while suspects:
            for reader in suspects.pop().readers:
                if reader.state == _CLEAN:
                    reader.state = _SUSPECT
                    suspects.append(reader)


class _Recorder:
    """The context of one running derivation: passes reads on and writes them down, each once, in order."""

    __slots__ = ("_engine", "reads")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.reads: dict[_Cell | _Node, None] = {}

    def fetch(self, key: Hashable) -> tuple[Any, ...]:
        engine = self._engine
        cell = engine._cells.get(key)  # noqa: SLF001  (the two classes are one mechanism)
        if cell is None:
            cell = engine._cells[key] = _Cell(key)  # noqa: SLF001  (as above)
        self.reads[cell] = None
        return engine._snapshot.fetch(key)  # noqa: SLF001  (as above)

    def derive(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        if named:
            raise _not_positional(fn, named)
        node = self._engine._node((fn, params))  # noqa: SLF001  (as above)
        self.reads[node] = None
        value: R = node.value
        return value


def _not_positional(fn: Callable[..., Any], named: Iterable[str]) -> TypeError:
    return TypeError(f"{fn.__name__}: parameters of a derivation are positional, got {sorted(named)}")
