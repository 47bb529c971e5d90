"""How many bytes of big responses are in the transport at a time.

The bytes of a response are shared by all streams, but each write makes a copy of its own in gRPC until the client has read it. So a change
of a route configuration of a megabyte and a half, for five hundred proxies, would have most of a gigabyte in flight. Big responses therefore
take turns. A client that does not read keeps its share for ``patience`` at most: it holds its own bytes for longer, but nobody else up.

Those that wait for the same response have their turns in a row: it is joined once, and let go before the next one is. A row ends after
``ROW`` turns, and goes on when all others had theirs.

Only one turn begins in each round of the event loop: it may start with joining the response, which takes milliseconds, and twenty of them
in one round would make ACKs, probes and everybody else wait for all twenty.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import Final

ROW: Final = 64
"""Turns in a row for one response."""


class WriteBudget:
    """Shares in a number of bytes, given in the order in which they are asked for, but for those of one kind, which stand together.

    Args:
        limit: how many bytes may be out at a time. A single share may be bigger, when nothing else is out.
        patience: the seconds after which a share counts as given back, though the write goes on.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._out = 0
        self._begun = False  # a turn has begun in this round of the loop
        self._rows: dict[Hashable, deque[tuple[int, asyncio.Future[None]]]] = {}  # the first one has its turns now
        self._left = ROW  # turns of the first row before it has to stand back

    @property
    def out(self) -> int:
        """How many bytes are out."""
        return self._out

    @property
    def waiting(self) -> int:
        """How many writers wait for their turn."""
        return sum(map(len, self._rows.values()))

    @asynccontextmanager
    async def share(self, size: int, kind: Hashable = None) -> AsyncIterator[None]:
        """Wait for the turn of ``size`` bytes, and have them for the length of the block, or of ``patience`` if that is shorter."""
        await self._turn(size, kind)
        out = [size]

        def give_back() -> None:
            if out:
                self._out -= out.pop()
                self._serve()

        timer = asyncio.get_running_loop().call_later(self._patience, give_back)
        try:
            yield
        finally:
            timer.cancel()
            give_back()

    async def _turn(self, size: int, kind: Hashable) -> None:
        """Return when the bytes are taken."""
        if not self._rows and not self._begun and self._fits(size):
            self._begin(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._rows.setdefault(kind, deque()).append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn had come in the very moment
                self._out -= size
            self._serve()
            raise

    def _fits(self, size: int) -> bool:
        return self._out == 0 or self._out + size <= self._limit

    def _begin(self, size: int) -> None:
        self._out += size
        self._begun = True
        asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._begun = False
        self._serve()

    def _serve(self) -> None:
        while self._rows and not self._begun:
            kind, row = next(iter(self._rows.items()))
            size, turn = row[0]
            if not turn.cancelled():
                if not self._fits(size):
                    return
                self._begin(size)
                turn.set_result(None)
            row.popleft()
            self._left -= 1
            if row and self._left:
                continue
            del self._rows[kind]
            self._left = ROW
            if row:
                self._rows[kind] = row  # at the end
