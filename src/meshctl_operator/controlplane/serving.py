"""Who waits to be served, and the work on it: round by round, in slices, the cheap before the expensive.

After a change every stream waits. For most of them nothing differs, which is known after some microseconds; for others the result is
there because another stream of the same view asked for it; for a few it has to be compiled. So each stream first gets a short look, and
those that need more wait in a second line until nobody is left in the first. There one after the other is compiled to its end, in
slices, while newcomers still get their look in between: the expensive ones hold up nobody but each other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

from meshctl_operator.base.clock import Clock
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.slices import Slices

if TYPE_CHECKING:
    from meshctl_operator.controlplane.nodes import DeclaredProxy
    from meshctl_operator.controlplane.pipeline import Served

LOOK: Final = 0.001
"""Seconds of compiling that a stream gets before it has to wait for those that need less."""

log = logging.getLogger("meshctl.controlplane")


class Compiler(Protocol):
    """The part of ``Pipeline`` that is used here."""

    def prepare(self, declared: DeclaredProxy) -> Iterator[None]:
        """Do a small piece of the work for a proxy at each step."""
        ...

    def serve(self, declared: DeclaredProxy, before: Served | None) -> Served:
        """Return what a proxy should hold."""
        ...


class Waiting:
    """Since when a stream waits, and how long was worked for it."""

    __slots__ = ("since", "spent")

    def __init__(self, since: float) -> None:
        self.since = since
        self.spent = 0.0


ServedHook = Callable[[ProxySession, "Served | None", "Served", Waiting], None]
"""Told of each stream that was served: what it held before, what it should hold now, and how long that took."""


class Serving:
    """The streams that wait to be served."""

    def __init__(self, compiler: Compiler, slices: Slices, clock: Clock, served: ServedHook, failed: Callable[[], None]) -> None:
        """Start with nobody waiting.

        Args:
            compiler: compiles for a stream.
            slices: when to give way.
            clock: measures the work.
            served: called for each stream that was served.
            failed: called for each stream that compiling failed for; it keeps what it has.
        """
        self._compiler = compiler
        self._slices = slices
        self._clock = clock
        self._served = served
        self._failed = failed
        self._first: dict[ProxySession, Waiting] = {}
        self._second: dict[ProxySession, Waiting] = {}
        self._current: tuple[ProxySession, Iterator[None]] | None = None

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def add(self, session: ProxySession, now: float) -> None:
        """Let a stream wait, if it does not already."""
        if session not in self._second:
            self._first.setdefault(session, Waiting(now))

    def discard(self, session: ProxySession) -> None:
        """Forget a stream that ended."""
        self._first.pop(session, None)
        self._second.pop(session, None)
        if self._current is not None and self._current[0] is session:
            self._current = None

    def restart(self) -> None:
        """Give up work that was begun on a state that is no longer the newest. What was computed stays in the engine's memory."""
        self._current = None

    async def drain(self, due: Callable[[], bool], overdue: Callable[[], bool]) -> None:
        """Serve until nobody waits, or until there is something else to do; at least some work is done in any case.

        Args:
            due: whether changes wait to be applied, asked between two streams.
            overdue: whether they have waited for so long that a compilation should be interrupted for them.
        """
        while self:
            if self._first:
                self._look()
                stop = due
            else:
                stop = overdue if self._go_on() else due
            await self._slices.breathe()
            if stop():
                return

    def _look(self) -> None:
        """Serve the first stream if that takes no time; else let it wait for the others."""
        session = next(iter(self._first))
        waiting = self._first.pop(session)
        begin = self._clock.monotonic()
        try:
            for _ in self._compiler.prepare(session.declared):
                if self._clock.monotonic() - begin >= LOOK:
                    waiting.spent += self._clock.monotonic() - begin
                    self._second[session] = waiting
                    return
        except CompileBug as bug:
            self._fail(session, bug)
            return
        self._serve(session, waiting, begin)

    def _go_on(self) -> bool:
        """Compile for the first stream of the second line until the slice is spent. Returns whether it needs more than that."""
        if self._current is None:
            session = next(iter(self._second))
            self._current = session, self._compiler.prepare(session.declared)
        session, work = self._current
        waiting = self._second[session]
        begin = self._clock.monotonic()
        try:
            for _ in work:
                if self._slices.spent:
                    waiting.spent += self._clock.monotonic() - begin
                    return True
        except CompileBug as bug:
            self.discard(session)
            self._fail(session, bug)
            return False
        self.discard(session)
        self._serve(session, waiting, begin)
        return False

    def _serve(self, session: ProxySession, waiting: Waiting, begin: float) -> None:
        before = session.served
        try:
            served = self._compiler.serve(session.declared, before)
        except CompileBug as bug:
            self._fail(session, bug)
            return
        waiting.spent += self._clock.monotonic() - begin
        session.update(served)
        self._served(session, before, served, waiting)

    def _fail(self, session: ProxySession, bug: CompileBug) -> None:
        self._failed()
        log.error("compile bug", extra={"proxy": session.proxy_id, "reason": str(bug)}, exc_info=bug.__cause__)
