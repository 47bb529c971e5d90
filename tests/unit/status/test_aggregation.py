"""Events are put together."""

from __future__ import annotations

from meshctl_operator.status.aggregation import BURST, COMBINED, REFILL, REMEMBERED, SIMILAR, WINDOW, Aggregation, Told
from meshctl_operator.status.transitions import EventReason, Transition


def event(message: str = "valid", reason: EventReason = EventReason.ACCEPTED) -> Transition:
    """Return a transition."""
    return Transition(reason, message)


def add(aggregation: Aggregation, transition: Transition, now: float, uid: str = "u") -> Told:
    """Add one that is told."""
    told = aggregation.add(uid, transition, now)
    assert told is not None
    return told


def test_the_same_event_again_is_a_higher_count() -> None:
    """Of one object, reason and message."""
    aggregation = Aggregation()
    first, again = add(aggregation, event(), 1.0), add(aggregation, event(), 5.0)
    assert (again.suffix, again.count, again.first, again.last) == (first.suffix, 2, 1.0, 5.0)
    assert add(aggregation, event("other"), 6.0).suffix != first.suffix
    assert add(aggregation, event(), 6.0, uid="another").suffix != first.suffix
    assert add(aggregation, event(reason=EventReason.REJECTED), 6.0).is_warning


def test_many_alike_are_one() -> None:
    """Until there was none for a while."""
    aggregation = Aggregation()
    told = [add(aggregation, event(f"{number} proxies"), 0.0) for number in range(SIMILAR + 2)]
    assert [each.message.startswith(COMBINED) for each in told] == [False] * SIMILAR + [True] * 2
    assert told[-1].suffix == told[-2].suffix
    assert told[-1].count == 2
    assert not add(aggregation, event("later"), WINDOW).message.startswith(COMBINED)


def test_an_object_that_never_rests_is_told_of_seldom() -> None:
    """Others are not."""
    aggregation = Aggregation()
    for _ in range(BURST):
        add(aggregation, event(), 0.0)
    assert aggregation.add("u", event(), 0.0) is None
    add(aggregation, event(), 0.0, uid="another")
    add(aggregation, event(), REFILL)
    assert aggregation.add("u", event(), REFILL) is None


def test_what_is_remembered_is_bounded() -> None:
    """The oldest goes first."""
    aggregation = Aggregation()
    for number in range(REMEMBERED + 10):
        add(aggregation, event(), 0.0, uid=str(number))
    assert len(aggregation._subjects) == len(aggregation._told) == REMEMBERED
    assert add(aggregation, event(), 0.0, uid="0").count == 1
