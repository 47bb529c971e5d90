"""How long changes take until they are accepted: by each proxy, and by the last one that they reach.

Measured at the answer, not when a response is written: what a proxy has not acknowledged, it may not have. A change that reaches a proxy
is converged there when everything that was sent because of it is answered; a rejection is an answer too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

from meshctl_operator.controlplane.series import Histogram

REMEMBERED: Final = 64
"""Changes that one stream may owe an answer for; of more than these the oldest are not timed, so a stuck proxy cannot fill the memory."""


class Wave:
    """One change on its way to the proxies. ``since`` is when it came in, ``open`` how many streams have not answered it."""

    __slots__ = ("answered_at", "open", "sealed", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.open = 0
        self.sealed = False  # every stream that it reaches is known
        self.answered_at: float | None = None


class _Owed:
    """What one stream has not answered: the waves with the revision of the state that brought them, and responses on their way."""

    __slots__ = ("in_flight", "waves")

    def __init__(self) -> None:
        self.waves: deque[tuple[int, Wave]] = deque()
        self.in_flight: dict[str, int] = {}


class Convergence:
    """Times changes from when they came in until they are answered. ``Hashable`` stands for a stream."""

    def __init__(self, per_proxy: Histogram, last: Histogram) -> None:
        """Observe into two histograms: each proxy that a change reaches, and the last of them."""
        self._per_proxy = per_proxy
        self._last = last
        self._owed: dict[Hashable, _Owed] = {}

    def opened(self, stream: Hashable) -> None:
        """Take note of a stream."""
        self._owed[stream] = _Owed()

    def closed(self, stream: Hashable) -> None:
        """Forget a stream: nobody waits for it any more."""
        for _, wave in self._owed.pop(stream).waves:
            self._leave(wave)

    def reached(self, stream: Hashable, revision: int, wave: Wave) -> None:
        """Note that a change brings a stream the state with this revision."""
        waves = self._owed[stream].waves
        waves.append((revision, wave))
        wave.open += 1
        if len(waves) > REMEMBERED:
            self._leave(waves.popleft()[1])

    def seal(self, wave: Wave) -> None:
        """Note that every stream that a change reaches is known."""
        wave.sealed = True
        self._observe_last(wave)

    def pushed(self, stream: Hashable, kind: str, revision: int) -> None:
        """Note that a response of a type, made of the state with this revision, is about to be written."""
        self._owed[stream].in_flight[kind] = revision

    def answered(self, stream: Hashable, kind: str, revision: int, now: float) -> bool:
        """Note that a response was accepted or rejected. Returns whether nothing else that was written waits for an answer."""
        owed = self._owed[stream]
        if owed.in_flight.get(kind) == revision:
            del owed.in_flight[kind]
        if owed.in_flight:
            return False
        self._settle(owed, revision, now)
        return True

    def idle(self, stream: Hashable, revision: int, now: float) -> None:
        """Note that a stream has nothing more to send of the state with this revision, and that all is answered."""
        owed = self._owed[stream]
        owed.in_flight.clear()
        self._settle(owed, revision, now)

    def _settle(self, owed: _Owed, revision: int, now: float) -> None:
        """End the waits for everything up to a state. States of one stream are compared by order: revisions may go back."""
        if not any(brought == revision for brought, _ in owed.waves):
            return
        while owed.waves:
            brought, wave = owed.waves.popleft()
            wave.answered_at = now
            self._per_proxy.observe(now - wave.since)
            self._leave(wave)
            if brought == revision and not (owed.waves and owed.waves[0][0] == revision):
                return

    def _leave(self, wave: Wave) -> None:
        wave.open -= 1
        self._observe_last(wave)

    def _observe_last(self, wave: Wave) -> None:
        if wave.sealed and wave.open == 0 and wave.answered_at is not None:
            self._last.observe(wave.answered_at - wave.since)
            wave.answered_at = None
