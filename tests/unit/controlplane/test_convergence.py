"""A change is converged when everything that was sent because of it is answered."""

from __future__ import annotations

import pytest

from meshctl_operator.controlplane.convergence import REMEMBERED, Convergence, Wave
from meshctl_operator.controlplane.series import SECONDS, Histogram


class Rig:
    """Convergence with its two histograms and some streams."""

    def __init__(self, *streams: str) -> None:
        """Open the streams."""
        self.each, self.last = Histogram(SECONDS), Histogram(SECONDS)
        self.convergence = Convergence(self.each, self.last)
        for stream in streams:
            self.convergence.opened(stream)


def test_the_last_answer_counts() -> None:
    """Each proxy is timed, and the last of them once more."""
    rig = Rig("a", "b")
    wave = Wave(10.0)
    rig.convergence.reached("a", 3, wave)
    rig.convergence.reached("b", 3, wave)
    rig.convergence.seal(wave)
    assert rig.convergence.answered("a", "EDS", 3, 10.5)
    assert rig.last.count == 0
    rig.convergence.answered("b", "EDS", 3, 12.0)
    assert rig.each.count == 2
    assert rig.each.sum == pytest.approx(2.5)
    assert rig.last.count == 1
    assert rig.last.sum == pytest.approx(2.0)


def test_a_proxy_has_a_change_when_every_type_is_answered() -> None:
    """The ACK of CDS is not the end while the routes are on their way."""
    rig = Rig("a")
    wave = Wave(10.0)
    rig.convergence.reached("a", 3, wave)
    rig.convergence.pushed("a", "CDS", 3)
    rig.convergence.pushed("a", "RDS", 3)
    rig.convergence.seal(wave)
    assert not rig.convergence.answered("a", "CDS", 3, 11.0)
    assert rig.last.count == 0
    assert rig.convergence.answered("a", "RDS", 3, 12.0)
    assert rig.last.sum == pytest.approx(2.0)


def test_a_later_answer_ends_earlier_changes_too() -> None:
    """Under a storm of changes several are answered at once."""
    rig = Rig("a")
    waves = [Wave(10.0), Wave(11.0), Wave(12.0)]
    for revision, wave in enumerate(waves):
        rig.convergence.reached("a", revision, wave)
        rig.convergence.seal(wave)
    rig.convergence.answered("a", "EDS", 1, 13.0)
    assert rig.last.count == 2
    assert rig.last.sum == pytest.approx(5.0)
    rig.convergence.answered("a", "EDS", 7, 14.0)
    assert rig.last.count == 2
    rig.convergence.idle("a", 2, 14.0)
    assert rig.last.sum == pytest.approx(7.0)


def test_two_changes_in_one_state() -> None:
    """Both are over with its answer."""
    rig = Rig("a")
    waves = [Wave(10.0), Wave(11.0)]
    for wave in waves:
        rig.convergence.reached("a", 3, wave)
        rig.convergence.seal(wave)
    rig.convergence.answered("a", "EDS", 3, 12.0)
    assert rig.last.sum == pytest.approx(3.0)


def test_answers_before_every_proxy_is_known() -> None:
    """The first ACKs come while others are still compiled for; the time is that of the last one all the same."""
    rig = Rig("a")
    wave = Wave(10.0)
    rig.convergence.reached("a", 3, wave)
    rig.convergence.answered("a", "EDS", 3, 11.0)
    assert rig.last.count == 0
    rig.convergence.seal(wave)
    assert rig.last.sum == pytest.approx(1.0)


def test_a_change_that_reaches_nobody_is_not_timed() -> None:
    """Nor one whose proxies are all gone."""
    rig = Rig("a")
    nobody, gone = Wave(10.0), Wave(10.0)
    rig.convergence.seal(nobody)
    rig.convergence.reached("a", 3, gone)
    rig.convergence.seal(gone)
    rig.convergence.closed("a")
    assert (gone.open, rig.each.count, rig.last.count) == (0, 0, 0)


def test_a_proxy_that_never_answers_is_bounded() -> None:
    """The oldest changes go on without it."""
    rig = Rig("a", "b")
    waves = [Wave(float(number)) for number in range(REMEMBERED + 5)]
    for revision, wave in enumerate(waves):
        rig.convergence.reached("a", revision, wave)
        rig.convergence.reached("b", revision, wave)
        rig.convergence.seal(wave)
        rig.convergence.answered("b", "EDS", revision, 100.0)
    assert rig.last.count == 5
    assert [wave.open for wave in waves].count(1) == REMEMBERED
