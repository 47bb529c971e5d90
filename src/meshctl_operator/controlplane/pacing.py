"""When the streams can do with more: what makes batches wait while fan-out is behind.

A response costs the server some hundred microseconds, whatever its size, so a change for a thousand streams is some tenths of a second of
work. Where changes come faster than that, sending each of them alone would only make all of them late.

The rule. A stream lags from the moment its state may have changed until it has accepted or rejected what was sent because of it. Fan-out
is *behind* while more streams lag than ``FEW``, and than one in ``SHARE_OF_STREAMS``; a stream that owes an answer for longer than
``STUCK`` is not counted, since it will not answer sooner if others wait. While fan-out is behind, no batch is taken, and when it has caught
up after d seconds, the next batch waits for d * ``REST`` more, though not longer than ``MOST_REST``: so fan-out takes about half of the
time, and new streams, probes and everybody else on the machine have the rest. No change waits longer than ``Windows.behind_cap`` (1 s)
because of this, and one after quiet time does not wait at all.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import Final

FEW: Final = 16
"""So many streams cost some milliseconds: nothing to wait for, and a single Envoy whose clusters warm holds nobody up."""

SHARE_OF_STREAMS: Final = 10
"""One in so many may be slow without holding up the others."""

STUCK: Final = 5.0
"""Seconds after which a stream that has not answered is not waited for; Envoy withholds ACKs while clusters warm."""

REST: Final = 1.0
"""Rest after a fan-out, as a share of its duration."""

MOST_REST: Final = 0.2
"""Seconds of rest at most: after the start of a large mesh there is nothing to recover from."""


class Pace:
    """The streams that owe an answer, and what follows for the next batch. ``Hashable`` stands for a stream."""

    def __init__(self) -> None:
        self._owing: dict[Hashable, float] = {}  # in the order in which they began to owe
        self._streams = 0
        self._waiting = 0
        self._behind_since: float | None = None
        self._rest_until = 0.0

    def opened(self) -> None:
        """Count a stream."""
        self._streams += 1

    def closed(self, stream: Hashable, now: float) -> bool:
        """Forget a stream. Returns whether fan-out has caught up by that."""
        self._streams -= 1
        return self.answered(stream, now)

    def wait(self, streams: int, now: float) -> None:
        """Note how many streams wait to be served, of which nobody knows yet whether anything differs for them."""
        self._waiting = streams
        self._look(now)

    def owes(self, stream: Hashable, now: float) -> None:
        """Note that the state of a stream changed; one that owed an answer already owes it from then on."""
        self._owing.setdefault(stream, now)

    def owed_since(self, stream: Hashable) -> float | None:
        """Return since when a stream owes an answer; None if it does not, or is stuck."""
        return self._owing.get(stream)

    def answered(self, stream: Hashable, now: float) -> bool:
        """Note that a stream has answered everything. Returns whether fan-out has caught up by that."""
        return self._owing.pop(stream, None) is not None and self._look(now)

    def earliest(self, now: float) -> float:
        """Return when the next batch may be taken: infinity while fan-out is behind."""
        self._look(now)
        return self._rest_until if self._behind_since is None else inf

    def _look(self, now: float) -> bool:
        """Find out whether fan-out is behind. Returns whether it has caught up."""
        while self._owing:
            stream = next(iter(self._owing))
            if self._owing[stream] > now - STUCK:
                break
            del self._owing[stream]
        behind = self._waiting + len(self._owing) > max(FEW, self._streams // SHARE_OF_STREAMS)
        if behind:
            self._behind_since = now if self._behind_since is None else self._behind_since
            return False
        if self._behind_since is None:
            return False
        self._rest_until = now + min((now - self._behind_since) * REST, MOST_REST)
        self._behind_since = None
        return True
