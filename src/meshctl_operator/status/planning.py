"""When to write which status: transitions soon, progress seldom, and never more than the API server should bear.

An ordinary change is one write: a change that is on its way is told only if it takes a while. Times are seconds of a monotonic clock that
the caller reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.status.conditions import Conditions, ConditionType, Reason, find
from meshctl_operator.status.patches import is_current


@dataclass(frozen=True, slots=True)
class Pacing:
    """How writes are spread over time, in seconds.

    Attributes:
        apply_gap: between an acknowledgement and the write that says Programmed: Envoy's workers take over a little after it.
        pending_after: how long a change may be under way before that is told.
        progress_every: least time between two writes that differ in a count alone.
        repeat_after: least time between two writes about one generation, unless the second says Programmed or EnvoyRejected.
        rate: writes a second, over all objects.
        burst: writes at once.
        retry_least: wait after a failed write; it doubles with each failure.
        retry_most: longest wait.
    """

    apply_gap: float = 0.05
    pending_after: float = 0.5
    progress_every: float = 5.0
    repeat_after: float = 1.0
    rate: float = 200.0
    burst: int = 50
    retry_least: float = 0.5
    retry_most: float = 60.0


class Urgency(StrEnum):
    """What a write would be for."""

    NONE = "none"
    PROGRESS = "progress"
    PENDING = "pending"
    PROGRAMMED = "programmed"
    NEWS = "news"


def urgency(stored: Conditions, wanted: Conditions) -> Urgency:
    """Return what writing the wanted conditions over the stored ones would be for."""
    if is_current(stored, wanted):
        return Urgency.NONE
    before, now = find(stored, ConditionType.PROGRAMMED), find(wanted, ConditionType.PROGRAMMED)
    if is_current(_quiet(stored), _quiet(wanted)):
        return Urgency.PROGRESS
    accepted = find(wanted, ConditionType.ACCEPTED)
    if accepted is None or not accepted.holds or now is None:
        return Urgency.NEWS
    if now.reason == Reason.PENDING:
        return Urgency.PENDING
    if now.holds and not (before is not None and before.holds and before.observed_generation == now.observed_generation):
        return Urgency.PROGRAMMED
    return Urgency.NEWS


def _quiet(conditions: Conditions) -> Conditions:
    """Return conditions without the message of a change that is under way, which counts proxies."""
    return tuple(
        replace(condition, message="") if condition.type is ConditionType.PROGRAMMED and condition.reason == Reason.PENDING else condition
        for condition in conditions
    )


@dataclass(slots=True)
class _Plan:
    """What is known of one object: what it should and does say, since when a write is due for the same reason, and past writes."""

    wanted: Conditions
    stored: Conditions
    kind: Urgency = Urgency.NONE
    since: float = 0.0
    written_at: float | None = None
    failures: int = 0
    not_before: float = 0.0
    in_flight: bool = False


_EPSILON: Final = 1e-9


class WritePlanner:
    """The writes that are wanted, and when each is due."""

    def __init__(self, pacing: Pacing | None = None) -> None:
        self._pacing = pacing or Pacing()
        self._plans: dict[ObjectKey, _Plan] = {}
        self._open: dict[ObjectKey, _Plan] = {}  # those that want a write
        self._tokens = float(self._pacing.burst)
        self._filled_at: float | None = None

    def want(self, key: ObjectKey, wanted: Conditions, stored: Conditions, now: float) -> None:
        """Note what the status of an object should say, and what it says."""
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _Plan(wanted, stored)
        plan.wanted, plan.stored = wanted, stored
        self._classify(key, plan, now)

    def forget(self, key: ObjectKey) -> None:
        """Drop an object that is gone, or that is not ours any more."""
        self._plans.pop(key, None)
        self._open.pop(key, None)

    def forget_all_but(self, keys: Iterable[ObjectKey]) -> None:
        """Drop every object but these."""
        for key in self._plans.keys() - frozenset(keys):
            self.forget(key)

    def take(self, now: float) -> tuple[tuple[ObjectKey, Conditions], ...]:
        """Return the writes to make now, those that are due longest first. Each waits for ``done`` or ``failed`` after that."""
        self._fill(now)
        due = sorted((at, key) for key, plan in self._open.items() if (at := self._due(plan)) is not None and at <= now + _EPSILON)
        taken = due[: int(self._tokens + _EPSILON)]
        self._tokens -= len(taken)
        for _, key in taken:
            self._plans[key].in_flight = True
        return tuple((key, self._plans[key].wanted) for _, key in taken)

    def done(self, key: ObjectKey, written: Conditions, now: float) -> None:
        """Note that a write succeeded; what has become wanted meanwhile is planned anew."""
        plan = self._plans.get(key)
        if plan is not None:
            plan.in_flight, plan.failures, plan.not_before, plan.written_at, plan.stored = False, 0, 0.0, now, written
            self._classify(key, plan, now)

    def failed(self, key: ObjectKey, now: float, *, conflict: bool = False) -> None:
        """Note that a write failed. After a conflict it is tried again at once, with what ``want`` tells of the stored object then."""
        plan = self._plans.get(key)
        if plan is None:
            return
        plan.in_flight = False
        if not conflict:
            wait = min(self._pacing.retry_least * 2.0 ** min(plan.failures, 30), self._pacing.retry_most)
            plan.failures += 1
            plan.not_before = now + wait

    def next_at(self) -> float | None:
        """Return when ``take`` is worth a call next: a time that may have passed already, or None while nothing is wanted."""
        due = [at for plan in self._open.values() if (at := self._due(plan)) is not None]
        if not due:
            return None
        first = min(due)
        if self._tokens + _EPSILON >= 1 or self._filled_at is None:
            return first
        return max(first, self._filled_at + (1 - self._tokens) / self._pacing.rate)

    def _classify(self, key: ObjectKey, plan: _Plan, now: float) -> None:
        kind = urgency(plan.stored, plan.wanted)
        if kind is not plan.kind:
            plan.kind, plan.since = kind, now
        if kind is Urgency.NONE:
            self._open.pop(key, None)
        else:
            self._open[key] = plan

    def _due(self, plan: _Plan) -> float | None:
        """Return when the write of an object is due, or None while there is none."""
        if plan.in_flight:
            return None
        pacing = self._pacing
        at = plan.since
        last = plan.written_at
        match plan.kind:
            case Urgency.PROGRESS:
                at = max(at, (last if last is not None else plan.since) + pacing.progress_every)
            case Urgency.PENDING:
                at += pacing.pending_after
            case Urgency.PROGRAMMED:
                at += pacing.apply_gap
            case Urgency.NEWS if last is not None and _same_generation(plan) and not _is_rejection(plan.wanted):
                at = max(at, last + pacing.repeat_after)
            case _:
                pass
        return max(at, plan.not_before)

    def _fill(self, now: float) -> None:
        if self._filled_at is not None:
            self._tokens = min(self._pacing.burst, self._tokens + (now - self._filled_at) * self._pacing.rate)
        self._filled_at = now


def _same_generation(plan: _Plan) -> bool:
    wanted = {condition.observed_generation for condition in plan.wanted}
    return wanted == {condition.observed_generation for condition in plan.stored}


def _is_rejection(conditions: Conditions) -> bool:
    programmed = find(conditions, ConditionType.PROGRAMMED)
    return programmed is not None and programmed.reason == Reason.ENVOY_REJECTED
