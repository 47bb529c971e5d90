"""Memoised derivations over cells: a change marks what may depend on it, and an equal result ends its spreading.

Three colours (as in Salsa, Adapton and reactive signals): a touched cell makes its readers *dirty* and whatever reads those, directly or
not, *suspect*. Nothing runs until it is asked for. A dirty node runs; a suspect one first brings its reads up to date in the order in
which they were read, and runs only if one of them has a new value. So the cost of a change is that of what it reaches, whatever the size
of the rest, and a node whose result equals the old one stops the change there.

Where most changes stop is known beforehand: at derivations that pick a part of an object (``context.firewall``). Those are brought up to
date before anything else is looked at, in the order of their ranks (how many of them lie one behind the other), and suspicion does not
get past the ones whose result stays. Without them an edit of one endpoint would put every view of the mesh under suspicion, since each
depends on which services there are.

Edges are kept in both directions. A node that nothing reads and nobody asks for is dropped by ``collect``, together with what only it
read: each drop costs what is dropped, and no walk over what stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
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

    __slots__ = ("cause", "computed_at", "firewall", "key", "rank", "readers", "reads", "state", "value")

    def __init__(self, key: NodeKey) -> None:
        self.key = key
        self.value: Any = None
        self.state = _DIRTY
        self.firewall: bool = getattr(key[0], "is_firewall", False)
        self.rank = 0
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
        self._waiting: list[tuple[int, int, _Node]] = []  # firewalls that a change has reached: rank, running number, node
        self._numbers = count()
        self._marks = 0  # how often a node came under suspicion or worse
        self._unread: list[_Cell] = []  # cells that lost their last reader; a derivation that still runs may be about to read them

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
        self._forget_unread_cells()
        for key in touched:
            cell = self._cells.get(key)
            if cell is not None:
                self._spread(cell)
        return self._revision

    def evaluate(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> R:
        """Return the value of a derivation at the current revision."""
        if named:
            raise _not_positional(fn, named)
        if self._waiting:
            self._settle()
        node = self._node((fn, params))
        self._roots[node] = self._revision
        value: R = node.value
        return value

    def warm(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> bool:
        """Bring a derivation up to date without asking for it: work done ahead, for ``collect`` it does not count as use.

        Returns whether anything had to be done.
        """
        if named:
            raise _not_positional(fn, named)
        if self._waiting:
            self._settle()
        node = self._nodes.get((fn, params))
        if node is not None and not node.state:
            return False
        node = self._node((fn, params))
        if not node.readers and node not in self._roots:
            self._orphans[node] = self._revision
        return True

    def is_current(self, fn: Callable[Concatenate[Context, P], R], *params: P.args, **named: P.kwargs) -> bool:
        """Tell whether a derivation is known and nothing that it depends on was touched since."""
        if named:
            raise _not_positional(fn, named)
        if self._waiting:
            self._settle()
        node = self._nodes.get((fn, params))
        return node is not None and not node.state

    def results(self, functions: Collection[Callable[..., Any]]) -> Iterator[tuple[NodeKey, Any]]:
        """Yield key and last value of every derivation by one of the functions; walks over all nodes, for debug pages."""
        for key, node in self._nodes.items():
            if key[0] in functions:
                yield key, node.value

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
        self._forget_unread_cells()
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

    def _settle(self) -> None:
        """Bring the firewalls up to date that a change has reached, the ones in front first.

        One that raises stays as it is: whoever asks for it will get the error. What lies behind it comes under suspicion.
        """
        waiting = self._waiting
        while waiting:
            _, _, node = heappop(waiting)
            if node.state and self._nodes.get(node.key) is node:
                try:
                    self._refresh(node)
                except Exception:  # noqa: BLE001  (a derivation may raise anything; it is raised again where its value is needed)
                    self._suspect(node)

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
        while True:
            recorder, marks = _Recorder(self), self._marks
            try:
                value = fn(recorder, *params)
            except BaseException:
                if not node.computed_at:
                    self._link(node, ())
                self._abandon(recorder.reads)
                raise
            self.statistics.recomputed[fn.__name__] = self.statistics.recomputed.get(fn.__name__, 0) + 1
            self._link(node, tuple(recorder.reads))
            if self._marks == marks or not any(isinstance(read, _Node) and read.state for read in node.reads):
                break
            # A firewall that runs before its turn may have read what is behind another one, and then have made that one run itself.
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
        rank = 0
        for read in reads:
            read.readers.add(node)
            if isinstance(read, _Node) and read.rank > rank:
                rank = read.rank
        node.rank = rank + node.firewall
        node.reads = reads
        for read in set(old).difference(reads) if old else ():
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
            self._unread.append(read)
        else:
            self._orphans[read] = self._revision

    def _forget_unread_cells(self) -> None:
        for cell in self._unread:
            if not cell.readers and self._cells.get(cell.key) is cell:
                del self._cells[cell.key]
        self._unread.clear()

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
        """Mark the readers of a changed source dirty, and what depends on those suspect as far as the next firewall."""
        for reader in source.readers:
            if reader.state != _DIRTY:
                known = reader.state
                reader.state = _DIRTY
                self._marks += 1
                reader.cause = source
                if known == _CLEAN:
                    self._pass_on(reader)

    def _pass_on(self, node: _Node) -> None:
        """Put what depends on a node that is no longer clean under suspicion; a firewall waits for its turn first."""
        if node.firewall:
            heappush(self._waiting, (node.rank, next(self._numbers), node))
        else:
            self._suspect(node)

    def _suspect(self, node: _Node) -> None:
        pending = [node]
        while pending:
            for reader in pending.pop().readers:
                if reader.state == _CLEAN:
                    reader.state = _SUSPECT
                    self._marks += 1
                    if reader.firewall:
                        self._pass_on(reader)
                    else:
                        pending.append(reader)


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
