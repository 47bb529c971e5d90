"""How many bytes of big responses are in the transport at a time.

The bytes of a response are shared by all streams, but each write makes a copy of its own in gRPC until the client has read it. So a change
of a route configuration of a megabyte and a half, for five hundred proxies, would have most of a gigabyte in flight. Big responses therefore
take turns. A client that does not read keeps its share for ``patience`` at most: it holds its own bytes for longer, but nobody else up.

Only one turn begins in each round of the event loop: it starts with joining the response, which takes milliseconds, and twenty of them in
one round would make ACKs, probes and everybody else wait for all twenty.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class WriteBudget:
    """Shares in a number of bytes, given in the order in which they are asked for.

    Args:
        limit: how many bytes may be out at a time. A single share may be bigger, when nothing else is out.
        patience: the seconds after which a share counts as given back, though the write goes on.
    """

    def __init__(self, limit: int, patience: float) -> None:
        self._limit = limit
        self._patience = patience
        self._out = 0
        self._begun = False  # a turn has begun in this round of the loop
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def out(self) -> int:
        """How many bytes are out."""
        return self._out

    @property
    def waiting(self) -> int:
        """How many writers wait for their turn."""
        return len(self._waiting)

    @asynccontextmanager
    async def share(self, size: int) -> AsyncIterator[None]:
        """Wait for the turn of ``size`` bytes, and have them for the length of the block, or of ``patience`` if that is shorter."""
        await self._turn(size)
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

    async def _turn(self, size: int) -> None:
        """Return when the bytes are taken."""
        if not self._waiting and not self._begun and self._fits(size):
            self._begin(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
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
        while self._waiting and not self._begun:
            size, turn = self._waiting[0]
            if not turn.cancelled():
                if not self._fits(size):
                    return
                self._begin(size)
                turn.set_result(None)
            self._waiting.popleft()
