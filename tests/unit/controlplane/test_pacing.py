"""Fan-out is behind while many streams owe an answer; then it rests."""

from __future__ import annotations

from math import inf

import pytest

from meshctl_operator.controlplane.pacing import FEW, MOST_REST, REST, STUCK, Pace


def pace_of(streams: int) -> Pace:
    """Return the pace of so many streams, named by their numbers."""
    pace = Pace()
    for _ in range(streams):
        pace.opened()
    return pace


def test_a_few_streams_are_never_behind() -> None:
    """A single Envoy whose clusters warm must not hold up the next edit."""
    pace = pace_of(FEW)
    for stream in range(FEW):
        pace.owes(stream, 1.0)
    assert pace.earliest(1.0) <= 1.0
    assert pace.owed_since(FEW - 1) == 1.0


def test_behind_until_nine_in_ten_have_answered_then_a_rest() -> None:
    """The rest is a share of the time that it took."""
    pace = pace_of(400)
    for stream in range(400):
        pace.owes(stream, 1.0)
    assert pace.earliest(1.0) == inf
    answers = [pace.answered(stream, 1.2) for stream in range(400)]
    assert answers.count(True) == 1
    assert answers[359]
    assert pace.earliest(1.2) == pytest.approx(1.2 + 0.2 * REST)


def test_no_rest_is_long() -> None:
    """The start of a large mesh takes seconds, and the first edit after it must not wait for that."""
    pace = pace_of(400)
    pace.wait(400, 1.0)
    pace.wait(0, 9.0)
    assert pace.earliest(9.0) == pytest.approx(9.0 + MOST_REST)


def test_a_change_for_a_tenth_of_the_streams_is_none_to_wait_for() -> None:
    """The others have nothing to do."""
    pace = pace_of(400)
    for stream in range(40):
        pace.owes(stream, 1.0)
    assert pace.earliest(1.0) <= 1.0
    pace.owes(40, 1.0)
    assert pace.earliest(1.0) == inf


def test_streams_that_wait_to_be_served_count_as_well() -> None:
    """Or a server that is slow at serving would take one batch after the other. Nothing differs for most of them in the end."""
    pace = pace_of(400)
    pace.wait(400, 1.0)
    assert pace.earliest(1.0) == inf
    pace.owes(0, 1.0)
    pace.wait(40, 1.1)
    assert pace.earliest(1.1) == inf
    assert pace.answered(0, 1.2)
    assert pace.earliest(1.2) == pytest.approx(1.2 + 0.2 * REST)
    pace.wait(0, 1.4)
    assert not pace.answered(0, 1.4)


def test_streams_that_are_stuck_are_not_waited_for() -> None:
    """They will not answer sooner if others wait. An answer in the end counts for nothing."""
    pace = pace_of(100)
    for stream in range(100):
        pace.owes(stream, 1.0)
    pace.owes(0, 2.0)
    assert pace.owed_since(0) == 1.0
    assert pace.earliest(1.0 + STUCK - 0.1) == inf
    assert pace.earliest(1.0 + STUCK) < inf
    assert [pace.owed_since(stream) for stream in range(100)] == [None] * 100
    assert not pace.answered(3, 7.0)
    assert pace.owed_since(3) is None


def test_streams_that_end_owe_nothing() -> None:
    """With them gone, fan-out has caught up."""
    pace = pace_of(100)
    for stream in range(100):
        pace.owes(stream, 1.0)
    assert pace.earliest(1.0) == inf
    closed = [pace.closed(stream, 2.0) for stream in range(100)]
    assert closed.count(True) == 1
    assert pace.earliest(3.0) <= 3.0
