"""Events put together: the same one again is a higher count, many alike are one, and an object that never rests is told of seldom.

As the clients of Kubernetes do it: equal Events (object, reason, message) are one with a count; more than a few that differ in their message
alone become one for all of them; and each object has a budget, which is filled slowly. Times are seconds that the caller reads.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from meshctl_operator.status.transitions import Transition

SIMILAR: Final = 10
"""Events of one reason about one object with different messages in ``WINDOW``, from which on they are told as one."""

WINDOW: Final = 600.0
BURST: Final = 25
REFILL: Final = 300.0
"""Seconds after which an object that used up its budget may be told of once more."""

REMEMBERED: Final = 4096
"""Objects, and Events, that are remembered."""

COMBINED: Final = "(combined from similar events): "


@dataclass(frozen=True, slots=True)
class Told:
    """An Event to write: its name is the same each time that it is the same Event, so a count above one replaces what is there."""

    suffix: str
    reason: str
    message: str
    is_warning: bool
    count: int
    first: float
    last: float


@dataclass(slots=True)
class _Subject:
    tokens: float = float(BURST)
    filled_at: float = 0.0
    messages: dict[str, dict[str, float]] = field(default_factory=dict)


class Aggregation:
    """What was told so far."""

    def __init__(self) -> None:
        self._subjects: OrderedDict[str, _Subject] = OrderedDict()
        self._told: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def add(self, uid: str, transition: Transition, now: float) -> Told | None:
        """Return what to write because of a transition of the object with a uid, or None where it is told of often enough."""
        subject = self._subjects.pop(uid, None) or _Subject(filled_at=now)
        self._subjects[uid] = subject
        subject.tokens = min(BURST, subject.tokens + (now - subject.filled_at) / REFILL)
        subject.filled_at = now
        if subject.tokens < 1:
            return None
        subject.tokens -= 1
        reason, message = transition.reason.value, transition.message
        recent = {text: at for text, at in subject.messages.get(reason, {}).items() if now - at < WINDOW}
        recent[message] = now
        subject.messages[reason] = recent
        combined = len(recent) > SIMILAR
        shown = COMBINED + message if combined else message
        suffix = hashlib.sha256("\0".join((uid, reason, "" if combined else message)).encode()).hexdigest()[:16]
        count, first = self._told.pop(suffix, (0, now))
        self._told[suffix] = (count + 1, first)
        for memory in (self._subjects, self._told):
            while len(memory) > REMEMBERED:
                memory.popitem(last=False)
        return Told(suffix, reason, shown, transition.reason.is_warning, count + 1, first, now)
