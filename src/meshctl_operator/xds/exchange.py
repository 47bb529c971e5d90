"""The responses of one type that wait for their ACK or NACK."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from meshctl_operator.xds.events import Sent
from meshctl_operator.xds.resources import ResourceName

MAX_WAITING: Final = 32  # Envoy withholds the ACKs of CDS while clusters warm; older responses are then remembered as one


class Exchange:
    """Matches the nonces of requests with the responses that were sent. At most ``MAX_WAITING`` are remembered."""

    __slots__ = ("_waiting", "latest")

    def __init__(self) -> None:
        self.latest = ""
        self._waiting: list[Sent] = []

    @property
    def in_flight(self) -> bool:
        """Whether a response waits for its answer."""
        return bool(self._waiting)

    @property
    def unanswered(self) -> frozenset[ResourceName]:
        """The names in the responses that wait."""
        return frozenset(name for sent in self._waiting for name in sent.changes)

    def send(self, sent: Sent) -> None:
        """Remember a response that is about to be written."""
        self.latest = sent.nonce
        self._waiting.append(sent)
        if len(self._waiting) > MAX_WAITING:
            oldest, second, *rest = self._waiting
            self._waiting = [_merged(oldest, second), *rest]

    def outdate(self) -> None:
        """Note that what waits was composed before it was known that something in it may be rejected."""
        self._waiting = [replace(sent, outdated=True) for sent in self._waiting]

    def settle(self, nonce: str) -> Sent | None:
        """Return the response that a request answers, and forget it; None if no response with this nonce waits.

        Answers come in the order of the responses. Where a client skips some, what they changed counts to the one it answers.
        """
        for index, sent in enumerate(self._waiting):
            if sent.nonce == nonce:
                for older in reversed(self._waiting[:index]):
                    sent = _merged(older, sent)  # noqa: PLW2901  (folds the skipped responses into the answered one)
                del self._waiting[: index + 1]
                return sent
        return None


def _merged(older: Sent, newer: Sent) -> Sent:
    return Sent(newer.nonce, newer.revision, {**older.changes, **newer.changes})
