"""Findings are counted by origin, and what came and went is told once."""

from __future__ import annotations

from dataclasses import replace

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.findings import FindingsBoard

ONE = Diagnostic("MC1", Severity.ERROR, ObjectKey("Service", "a", "b"), "spec", "one")
TWO = Diagnostic("MC2", Severity.WARNING, ObjectKey("Service", "a", "b"), "spec", "two")


def copy(finding: Diagnostic) -> Diagnostic:
    """Return an equal finding that is another object."""
    return replace(finding)


def test_what_came_and_went_since_the_last_look() -> None:
    """Sorted; what came and went in between never was."""
    board = FindingsBoard()
    board.put("x", (TWO, ONE))
    assert board.take().fresh == (ONE, TWO)
    board.put("x", (ONE,))
    difference = board.take()
    assert (difference.fresh, difference.healed) == ((), 1)
    board.put("y", (TWO,))
    board.put("y", ())
    difference = board.take()
    assert (difference.fresh, difference.healed) == ((), 0)
    assert board.current() == (ONE,)


def test_a_finding_holds_while_one_origin_has_it() -> None:
    """Equal findings are one, whatever made them."""
    board = FindingsBoard()
    board.put("x", (ONE,))
    board.put("y", (copy(ONE), TWO))
    assert len(board.take().fresh) == 2
    board.put("x", ())
    assert board.take().healed == 0
    board.put("y", (TWO,))
    assert board.take().healed == 1


def test_an_equal_answer_changes_nothing() -> None:
    """Also when all of its findings were made anew, or one stands there twice."""
    board = FindingsBoard()
    board.put("x", (ONE, TWO, TWO))
    board.take()
    board.put("x", (copy(TWO), copy(ONE)))
    difference = board.take()
    assert (difference.fresh, difference.healed) == ((), 0)
    board.put("x", ())
    assert board.take().healed == 2
    assert board.current() == ()


def test_a_result_that_many_hold_is_counted_once() -> None:
    """Its findings go with the last that holds it."""
    board = FindingsBoard()
    result = object()
    for _ in range(3):
        board.hold(result, (ONE,))
    assert len(board.take().fresh) == 1
    board.release(result)
    board.release(result)
    assert board.current() == (ONE,)
    board.release(result)
    assert board.take().healed == 1


def test_findings_by_severity() -> None:
    """For the metric."""
    board = FindingsBoard()
    board.put("x", (ONE, TWO))
    board.put("y", (copy(TWO),))
    assert board.severities == {Severity.ERROR: 1, Severity.WARNING: 1}
    board.put("x", ())
    assert board.severities == {Severity.ERROR: 0, Severity.WARNING: 1}
